from django.urls import path

from benchmarks.references.plain import views

urlpatterns = [
    path("page", views.page),
    path("uses", views.UseList.as_view()),
    path("apps", views.AppList.as_view()),
    path("apps/<slug:slug>", views.AppDetail.as_view()),
]
