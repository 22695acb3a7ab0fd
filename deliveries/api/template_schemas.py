"""What REST shows of templates, and what it takes."""

from typing import Any

from rest_framework import serializers

from chimeway_py.api.serializers import StrictSerializer
from deliveries.channels.registry import channels
from deliveries.models import Template, TemplateStatus, TemplateVersion


class WordsSerializer(StrictSerializer):
    """The three parts of a message, in Liquid."""

    subject = serializers.CharField(default="", allow_blank=True, trim_whitespace=False, help_text="Or the title.")
    text = serializers.CharField(trim_whitespace=False)
    html = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)


class TemplateVersionSerializer(serializers.ModelSerializer[TemplateVersion]):
    """One version of a template."""

    version = serializers.IntegerField(source="number")
    subject = serializers.CharField(source="default.subject")
    text = serializers.CharField(source="default.text")
    html = serializers.CharField(source="default.html")
    locales = serializers.SerializerMethodField()

    class Meta:
        model = TemplateVersion
        fields = [
            "version", "status", "layout", "subject", "text", "html", "locales", "checksum",
            "created_at", "updated_at", "published_at",
        ]  # fmt: skip

    def get_locales(self, row: TemplateVersion) -> dict[str, dict[str, str]]:
        """The words of each locale that has its own."""
        return {locale: row.wordings[locale] for locale in row.locales}


class TemplateSerializer(serializers.ModelSerializer[Template]):
    """A stored template of one channel: the words that messages get, or those of its draft while it has no others."""

    version = serializers.IntegerField(source="shown.number")
    status = serializers.ChoiceField(source="shown.status", choices=TemplateStatus.choices)
    layout = serializers.CharField(source="shown.layout")
    subject = serializers.CharField(source="shown.default.subject")
    text = serializers.CharField(source="shown.default.text")
    html = serializers.CharField(source="shown.default.html")
    locales = serializers.ListField(source="shown.locales", child=serializers.CharField())
    checksum = serializers.CharField(source="shown.checksum")
    draft = serializers.IntegerField(allow_null=True, help_text="The version that waits to be published, if one does.")

    class Meta:
        model = Template
        fields = [
            "key", "channel", "is_layout", "version", "status", "layout", "subject", "text", "html", "locales",
            "checksum", "draft", "created_at", "updated_at", "retired_at",
        ]  # fmt: skip


class TemplateListSerializer(serializers.Serializer[Any]):
    """The template of one key on every channel that has one."""

    items = TemplateSerializer(many=True)


class ChannelSerializer(StrictSerializer):
    """Which channel's template is meant."""

    channel = serializers.ChoiceField(choices=sorted(channels()))


class RetireSerializer(ChannelSerializer):
    """Which channel's template is to be retired."""

    force = serializers.BooleanField(default=False, help_text="Although published definitions use it.")


class PutTemplateSerializer(WordsSerializer):
    """The words of one message on one channel, and of every locale that has its own."""

    channel = serializers.ChoiceField(choices=sorted(channels()))
    locales = serializers.DictField(child=WordsSerializer(), default=dict, help_text="`{de: {subject, text, html}}`")
    layout = serializers.CharField(default="", max_length=64, allow_blank=True, help_text="The key of a layout.")
    is_layout = serializers.BooleanField(default=False, help_text="Whether other templates are put into this one.")
    draft = serializers.BooleanField(default=False, help_text="Keep it as a draft; messages go on as before.")


class SampleSerializer(ChannelSerializer):
    """What a preview speaks about."""

    version = serializers.IntegerField(
        default=None, allow_null=True, min_value=1, help_text="Without one the draft, or else the published version."
    )
    locale = serializers.CharField(default="", max_length=35, allow_blank=True)
    subject = serializers.CharField(
        default="sample", max_length=200, help_text="Whose message it is: the template sees this recipient."
    )
    data = serializers.DictField(default=dict)  # type: ignore[assignment]
    steps = serializers.DictField(default=dict, help_text="`{collect: {count: 2, items: […]}}`: what steps brought.")
    coalesced = serializers.DictField(default=dict, help_text="`{count: 3}`: how many it stands for besides itself.")
    correlation = serializers.DictField(default=dict, help_text="What the template sees as `run.correlation`.")


class TestSendSerializer(SampleSerializer):
    """What a test speaks about, and whom it goes to."""

    to = serializers.JSONField(
        default=None,
        help_text="An address of the channel; for `in_app` a subject, for `push` a subscription. A chat that leads to "
        "one place needs none.",
    )


class ContentSerializer(serializers.Serializer[Any]):
    """A message as it will be read."""

    subject = serializers.CharField()
    text = serializers.CharField()
    html = serializers.CharField()


class PreviewSerializer(serializers.Serializer[Any]):
    """The message that a template makes of sample data."""

    version = serializers.IntegerField()
    layout_version = serializers.IntegerField(allow_null=True)
    locale = serializers.CharField(help_text="The one whose words were found; empty: those for everybody.")
    content = ContentSerializer()


class TestSentSerializer(serializers.Serializer[Any]):
    """The run that sends the test."""

    run_id = serializers.UUIDField(source="public_id")
