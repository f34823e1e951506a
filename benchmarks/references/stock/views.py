"""A page that reads its row, and an API read, in the stock way."""

import hashlib

from django.http import HttpRequest, JsonResponse
from rest_framework import authentication, exceptions, generics, permissions, serializers

from benchmarks.references.stock.shop.models import App, Key


def page(request: HttpRequest) -> JsonResponse:
    app = App.objects.get(slug="app-0")
    return JsonResponse({"title": app.name, "blocks": ["form", "metric", "chart", "table"], "version": 1})


class KeyAuthentication(authentication.BaseAuthentication):
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


class AppDetail(generics.RetrieveAPIView):  # type: ignore[type-arg]
    queryset = App.objects.all()
    serializer_class = AppSerializer
    lookup_field = "slug"
    authentication_classes = [KeyAuthentication]
    permission_classes = [permissions.IsAuthenticated]
