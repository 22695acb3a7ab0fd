"""REST: preferences of recipients, the tenant's defaults, and categories."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.serializers import StrictSerializer, read_input, read_object
from chimeway_py.errors import Invalid, fault
from deliveries.channels.registry import channels
from deliveries.models import Category, Preference
from deliveries.preferences.categories import put_category
from deliveries.preferences.storing import DEFAULTS, put_preferences, rules_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope

TAG = ["Preferences"]


class RuleSerializer(serializers.ModelSerializer[Preference]):
    """One rule as it is stored. An empty category, workflow or channel is any."""

    when = serializers.DictField(allow_null=True)

    class Meta:
        model = Preference
        fields = ["category", "workflow", "channel", "allowed", "when", "said_by", "updated_at"]


class RulesSerializer(serializers.Serializer[Any]):
    """All rules of a recipient, or of the tenant."""

    items = RuleSerializer(many=True)


class PutRuleSerializer(serializers.Serializer[Any]):
    """Yes or no to what matches."""

    category = serializers.CharField(required=False, help_text="One of the tenant's categories.")
    workflow = serializers.CharField(required=False, help_text="The key of a definition, instead of a category.")
    channel = serializers.ChoiceField(required=False, choices=sorted(channels()))
    allowed: Any = serializers.BooleanField(allow_null=True, help_text="With PATCH, null takes the rule away.")
    when = serializers.DictField(required=False, help_text="It counts only if this condition holds.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "No news by mail",
            value={"rules": [{"category": "news", "channel": "email", "allowed": False}]},
            request_only=True,
        )
    ]
)
class PutRulesSerializer(serializers.Serializer[Any]):
    """Rules."""

    rules = PutRuleSerializer(many=True)


class CategorySerializer(serializers.ModelSerializer[Category]):
    """A category."""

    class Meta:
        model = Category
        fields = ["key", "name", "required", "created_at", "updated_at"]


class PutCategorySerializer(StrictSerializer):
    """What messages may be about."""

    name = serializers.CharField(required=False, default="", allow_blank=True, max_length=200, help_text="For people.")
    required = serializers.BooleanField(  # type: ignore[assignment]
        required=False, default=False, help_text="Nobody may refuse it."
    )


class RulesView(TenantView):
    """Rules of one subject; the subclasses say whose."""

    scopes = {"GET": Scope.RECIPIENTS_READ, "PUT": Scope.RECIPIENTS_WRITE, "PATCH": Scope.RECIPIENTS_WRITE}

    def shown(self, subject: str) -> Response:
        """All rules."""
        return Response(RulesSerializer({"items": rules_of(self.tenant_id, subject)}).data)

    def stored(self, request: Request, subject: str, *, replace: bool) -> Response:
        """All rules as they are now."""
        body = read_object(request)
        unknown = [fault(f"/{name}", "unknown_key", "No such member.") for name in body if name != "rules"]
        if unknown:
            raise Invalid("The preferences are not valid.", unknown)
        rules: Any = body.get("rules")  # the service looks at what it is given
        put_preferences(tenant_id=self.tenant_id, subject=subject, rules=rules, said_by="api", replace=replace)
        return self.shown(subject)


_PUT: dict[str, Any] = {
    "parameters": [IDEMPOTENCY_KEY],
    "request": PutRulesSerializer,
    "responses": answers(RulesSerializer, 400),
}
_MERGE = "A rule takes the place of the one about the same; others stay. `allowed: null` takes a rule away."


class PreferencesView(RulesView):
    """What a recipient wants."""

    @extend_schema(
        operation_id="preferences_get",
        summary="What a recipient wants",
        responses=answers(RulesSerializer),
        tags=TAG,
    )
    def get(self, request: Request, external_id: str) -> Response:
        """Their own rules; none when they said nothing."""
        return self.shown(external_id)

    @extend_schema(operation_id="preferences_put", summary="Store all that a recipient wants", tags=TAG, **_PUT)
    def put(self, request: Request, external_id: str) -> Response:
        """These rules and no others."""
        return self.stored(request, external_id, replace=True)

    @extend_schema(
        operation_id="preferences_patch",
        summary="Change some of what a recipient wants",
        description=_MERGE,
        tags=TAG,
        **_PUT,
    )
    def patch(self, request: Request, external_id: str) -> Response:
        """All rules as they are now."""
        return self.stored(request, external_id, replace=False)


class PreferenceDefaultsView(RulesView):
    """What holds for everybody who said nothing."""

    @extend_schema(
        operation_id="preference_defaults_get",
        summary="What holds for everybody who said nothing",
        responses=answers(RulesSerializer),
        tags=TAG,
    )
    def get(self, request: Request) -> Response:
        """The tenant's own rules."""
        return self.shown(DEFAULTS)

    @extend_schema(operation_id="preference_defaults_put", summary="Store all defaults", tags=TAG, **_PUT)
    def put(self, request: Request) -> Response:
        """These rules and no others."""
        return self.stored(request, DEFAULTS, replace=True)

    @extend_schema(
        operation_id="preference_defaults_patch",
        summary="Change some defaults",
        description=_MERGE,
        tags=TAG,
        **_PUT,
    )
    def patch(self, request: Request) -> Response:
        """All rules as they are now."""
        return self.stored(request, DEFAULTS, replace=False)


class CategoryListView(TenantView):
    """Categories, newest first."""

    scopes = {"GET": Scope.DEFINITIONS_READ}

    @extend_schema(
        operation_id="category_list",
        summary="Categories",
        parameters=PAGE_PARAMETERS,
        responses=answers(page_of(CategorySerializer), 400),
        tags=TAG,
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        return self.page(Category.objects.filter(tenant_id=self.tenant_id), CategorySerializer)


class CategoryView(TenantView):
    """One category."""

    scopes = {"GET": Scope.DEFINITIONS_READ, "PUT": Scope.DEFINITIONS_WRITE}

    @extend_schema(
        operation_id="category_get",
        summary="One category",
        responses=answers(CategorySerializer, 404),
        tags=TAG,
    )
    def get(self, request: Request, key: str) -> Response:
        """Its name, and whether anybody may refuse it."""
        return Response(CategorySerializer(self.one(Category.objects.all(), key=key)).data)

    @extend_schema(
        operation_id="category_put",
        summary="Store a category",
        parameters=[IDEMPOTENCY_KEY],
        request=PutCategorySerializer,
        responses=answers(CategorySerializer, 400) | {201: CategorySerializer},
        tags=TAG,
    )
    def put(self, request: Request, key: str) -> Response:
        """The category as it is now; 201 when it is new."""
        row, created = put_category(tenant_id=self.tenant_id, key=key, **read_input(PutCategorySerializer, request))
        return Response(CategorySerializer(row).data, status=201 if created else 200)
