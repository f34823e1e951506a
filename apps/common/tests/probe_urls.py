"""Views made for tests of what all views share."""

from __future__ import annotations

from typing import Any

from django.urls import path
from django_filters import BooleanFilter, CharFilter, ChoiceFilter, DateTimeFromToRangeFilter
from rest_framework import serializers
from rest_framework.response import Response

from apps.accounts.models import User
from apps.common.api.filters import Filters
from apps.common.api.inputs import Input
from apps.common.api.outputs import Created, Listing
from apps.common.api.permissions import OPEN, SIGNED_IN
from apps.common.api.views import ApiView, ApiViewSet
from apps.common.revisions import update_revision


class Person(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    email = serializers.CharField()
    name = serializers.CharField()


class Part(Input):
    amount = serializers.IntegerField(min_value=1)


class ChangePerson(Input):
    name = serializers.CharField(max_length=10)
    subscribed = serializers.BooleanField(required=False)
    level = serializers.ChoiceField(choices=["low", "high"], required=False)
    tags = serializers.ListField(child=serializers.CharField(), required=False)
    parts = Part(many=True, required=False)
    part = Part(required=False)


class PersonFilters(Filters):
    name = CharFilter()
    is_active = BooleanFilter()
    locale = ChoiceFilter(choices=[("en", "en"), ("zh", "zh")])
    created_at = DateTimeFromToRangeFilter()

    class Meta:
        model = User
        fields: list[str] = []


class PersonViewSet(ApiViewSet):
    required = {
        "list": OPEN,
        "retrieve": OPEN,
        "partial_update": OPEN,
        "destroy": OPEN,
        "create": SIGNED_IN,
    }
    inputs = {"create": ChangePerson, "partial_update": ChangePerson}
    outputs = {
        "list": Listing(
            Person,
            orders={"-created_at": "created_at", "email": "email", "name": "name"},
            search=("name",),
            filters=PersonFilters,
        ),
        "retrieve": Person,
        "partial_update": Person,
        "create": Created(Person),
        "destroy": None,
    }
    conditional = {"partial_update": "optional", "destroy": "required"}

    def list(self, request: Any) -> Response:
        return self.page(User.objects.all())

    def retrieve(self, request: Any, pk: str) -> Response:
        return self.answer(User.objects.get(pk=pk))

    def create(self, request: Any) -> Response:
        given = self.read()
        person = User.objects.create_user(f"{given['name']}@example.com", name=given["name"])
        return self.created(person, location=f"/people/{person.pk}")

    def partial_update(self, request: Any, pk: str) -> Response:
        person = User.objects.get(pk=pk)
        update_revision(person, self.expected, now=self.now, **self.read())
        return self.answer(person)

    def destroy(self, request: Any, pk: str) -> Response:
        return self.nothing()


class EchoView(ApiView):
    required = {"post": OPEN, "get": OPEN}

    def post(self, request: Any) -> Response:
        return Response(request.data)


urlpatterns = [
    path("people", PersonViewSet.as_view({"get": "list", "post": "create"})),
    path("people/<str:pk>", PersonViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"})),
    path("echo", EchoView.as_view()),
]
