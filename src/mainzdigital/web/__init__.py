"""Portal shell, design system, generic views, charts."""
