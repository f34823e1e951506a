from django.urls import path

from benchmarks.references.stock import views

urlpatterns = [path("page", views.page), path("apps/<slug:slug>", views.AppDetail.as_view())]
