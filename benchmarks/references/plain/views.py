"""The same answers as the platform's, by the shortest stock way."""

import hashlib

from django.http import HttpRequest, JsonResponse
from rest_framework import authentication, exceptions, generics, pagination, permissions, serializers

from benchmarks.references.plain.models import App, Key, Use


def page(request: HttpRequest) -> JsonResponse:
    """A JSON answer without a query."""
    return JsonResponse({"title": "Loan schedule", "blocks": ["form", "metric", "chart", "table"], "version": 1})


class KeyAuthentication(authentication.BaseAuthentication):
    """``Authorization: Api-Key prefix.secret``; one query."""

    def authenticate(self, request):  # type: ignore[no-untyped-def]
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Api-Key":
            return None
        prefix, _, secret = key.partition(".")
        row = Key.objects.filter(prefix=prefix).first()
        if row is None or hashlib.sha256(secret.encode()).hexdigest() != row.secret_hash:
            raise exceptions.AuthenticationFailed
        return row, row


class AppSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    class Meta:
        model = App
        fields = "__all__"


class UseSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    class Meta:
        model = Use
        fields = "__all__"


class UseList(generics.CreateAPIView):  # type: ignore[type-arg]
    """One insert; DRF's own check of the unique key is a query before it."""

    queryset = Use.objects.all()
    serializer_class = UseSerializer
    authentication_classes = [KeyAuthentication]
    permission_classes = [permissions.IsAuthenticated]


class Pages(pagination.CursorPagination):
    """DRF's own."""

    page_size = 50
    ordering = ("-created_at", "-id")


class AppDetail(generics.RetrieveAPIView):  # type: ignore[type-arg]
    queryset = App.objects.all()
    serializer_class = AppSerializer
    lookup_field = "slug"
    authentication_classes = [KeyAuthentication]
    permission_classes = [permissions.IsAuthenticated]


class AppList(generics.ListAPIView):  # type: ignore[type-arg]
    queryset = App.objects.all()
    serializer_class = AppSerializer
    pagination_class = Pages
    authentication_classes = [KeyAuthentication]
    permission_classes = [permissions.IsAuthenticated]
