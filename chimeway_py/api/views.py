"""What every view of REST does alike."""

from typing import Any

from django.http import HttpRequest
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chimeway_py.api.bodies import BoundedRequest
from chimeway_py.api.errors import request_id
from chimeway_py.errors import NotFound


class BoundedView(APIView):
    """A view whose body is bounded and whose answers carry the request id. It answers no OPTIONS and no TRACE."""

    http_method_names = ["get", "post", "put", "patch", "delete", "head"]

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """The request, with a body that is read within bounds when it is first asked for."""
        return BoundedRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a method that the view does not answer before asking who asks."""
        if str(request.method) not in self.allowed_methods:
            raise MethodNotAllowed(str(request.method))
        super().initial(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """The response, with `X-Request-Id` and never cached: it belongs to one tenant at one moment."""
        final = super().finalize_response(request, response, *args, **kwargs)
        final["X-Request-Id"] = request_id()
        final["Cache-Control"] = "no-store"
        return final


class NoSuchAddress(BoundedView):
    """Any address that nothing answers: the 404 of a missing object, whoever asks and however."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse every method, before anything else is looked at."""
        raise NotFound

    def get(self, request: Request, **_: Any) -> Response:
        """Never reached: `initial` refuses every method."""
        raise NotFound
