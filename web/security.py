"""What every answer carries: a content policy without inline script or style, no framing, no sniffing, no keeping of personal data."""

from __future__ import annotations

from flask import Flask, Response, request, session
from werkzeug.middleware.proxy_fix import ProxyFix

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


MESSAGES = 5  # that wait for the next page at most: a browser drops a cookie above 4 KB, and with it the session


def _keep_few_messages(response: Response) -> Response:
    """Who sends many forms and looks at no page keeps the last messages alone."""
    if request.method == "POST" and len(waiting := session.get("_flashes", ())) > MESSAGES:
        session["_flashes"] = waiting[-MESSAGES:]
    return response


def _guard(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint == "static":
        response.headers["Cache-Control"] = "public, max-age=86400"
    else:
        response.headers["Cache-Control"] = "no-store"  # files too: send_file would let a browser keep them
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    return response


def install(app: Flask, *, secure: bool, proxies: int) -> None:
    """Cookies that only the browser may hold, limits on what is sent, headers on what goes out.

    `secure`: people come by https alone (browsers refuse a __Host- cookie otherwise); `proxies`: how many stand in front, whose word
    counts for the address of the asker and the scheme.
    """
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]
    app.config.update(
        SESSION_COOKIE_NAME="__Host-sandeng" if secure else "sandeng",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_PATH="/",
        MAX_CONTENT_LENGTH=64 * 1024 * 1024,
        MAX_FORM_MEMORY_SIZE=2 * 1024 * 1024,
        MAX_FORM_PARTS=5000,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session lives
        WTF_CSRF_SSL_STRICT=secure,
    )
    app.after_request(_guard)
    app.after_request(_keep_few_messages)
