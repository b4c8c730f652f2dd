"""Pages of this module."""

from datetime import date
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.decorators import login_required, permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mainzdigital.apps.about import queries, services
from mainzdigital.apps.about.forms import TRAP, FeedbackForm
from mainzdigital.apps.about.models import Feedback
from mainzdigital.identity import limits
from mainzdigital.kernel import registry


@require_GET
def about(request: HttpRequest) -> HttpResponse:
    shown = [module for module in registry.modules() if module.slug != "about"]
    return render(request, "about/about.html", {"city": settings.CITY, "modules": shown})


@require_GET
def imprint(request: HttpRequest) -> HttpResponse:
    return render(request, "about/imprint.html", {"city": settings.CITY})


@require_GET
def privacy(request: HttpRequest) -> HttpResponse:
    return render(request, "about/privacy.html", {"city": settings.CITY, "processings": queries.processings()})


@require_GET
def accessibility(request: HttpRequest) -> HttpResponse:
    day = date.fromisoformat(str(registry.setting("about", "statement_date")))
    return render(request, "about/accessibility.html", {"city": settings.CITY, "day": day})


@require_http_methods(["GET", "HEAD", "POST"])
def feedback(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        came_from = urlsplit(request.headers.get("Referer", ""))
        page = came_from.path[:300] if came_from.netloc == request.get_host() else ""
        return render(request, "about/feedback.html", {"form": FeedbackForm(initial={"page": page}), "trap": TRAP})
    form = FeedbackForm(request.POST)
    if request.POST.get(TRAP):
        return redirect("about:thanks")
    if not form.is_valid():
        return render(request, "about/feedback.html", {"form": form, "trap": TRAP}, status=422)
    most = int(registry.setting("about", "feedback_per_hour"))
    if not limits.allowed(request, action="feedback", count=most, seconds=3600):
        return render(request, "about/feedback.html", {"form": form, "trap": TRAP, "too_many": True}, status=429)
    services.give_feedback(**form.cleaned_data)
    return redirect("about:thanks")


@require_GET
def thanks(request: HttpRequest) -> HttpResponse:
    return render(request, "about/thanks.html")


@login_required
@permission_required("about.read_feedback", raise_exception=True)
@require_GET
def feedback_list(request: HttpRequest) -> HttpResponse:
    page = Paginator(queries.feedback(), 50).get_page(request.GET.get("page"))
    return render(request, "about/feedback_list.html", {"page": page})


@login_required
@permission_required("about.read_feedback", raise_exception=True)
@require_POST
def feedback_answered(request: HttpRequest, feedback_id: int) -> HttpResponse:
    services.mark_answered(feedback=get_object_or_404(Feedback, pk=feedback_id))
    return redirect("about:feedback_list")
