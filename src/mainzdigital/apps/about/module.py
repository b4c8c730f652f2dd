"""About this platform: what it is, imprint, accessibility statement with feedback, privacy notice."""

from mainzdigital.kernel.modules import Link, Module, Permission, PersonalData, Setting

MODULE = Module(
    slug="about",
    title="About this platform",
    summary="What this city platform is, who answers for it, how accessible it is, and what it does with your data.",
    strategy=("P5",),
    navigation=(
        Link("About this platform", "about:about", area="footer", order=10),
        Link("Imprint", "about:imprint", area="footer", order=20),
        Link("Privacy", "about:privacy", area="footer", order=30),
        Link("Accessibility", "about:accessibility", area="footer", order=40),
        Link("Feedback on accessibility", "about:feedback_list", area="staff", permission="about.read_feedback"),
    ),
    permissions=(Permission("read_feedback", "Read feedback on accessibility", groups=("clerk", "administration")),),
    settings=(
        Setting("statement_date", "Day of the accessibility statement (ISO 8601)", "2026-11-22"),
        Setting("feedback_per_hour", "Messages taken from one network per hour", 5),
    ),
    personal_data=(
        PersonalData(
            model="about.Feedback",
            purpose="Answering feedback on accessibility",
            legal_basis="Art. 6 (1) (c) GDPR",
            retention_days=180,
            subject_field="email",
        ),
    ),
    public_pages=("about", "imprint", "privacy", "accessibility", "feedback", "thanks"),
)
