from django.urls import path

from benchmarks.references.plain import views

urlpatterns = [
    path("page", views.page),
    path("apps", views.AppList.as_view()),
    path("apps/<slug:slug>", views.AppDetail.as_view()),
]
