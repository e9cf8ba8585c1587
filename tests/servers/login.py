"""A Flask application that one logs in to, as a WSGI application over https.

POST /login  user, password, keep: sets the cookie of the session, and leads to /home
GET /home    greets the user with the number of visits; 401 for strangers
POST /logout takes the cookie away
"""

from __future__ import annotations

import flask

from tests.servers.apps import counted

PASSWORD = "open sesame"
COOKIE = "__Host-session"

application = flask.Flask("login")
application.secret_key = "the same in each process"
application.config.update(
    SESSION_COOKIE_NAME=COOKIE,
    SESSION_COOKIE_SECURE=True,
    SESSION_COOKIE_HTTPONLY=True,
    SESSION_COOKIE_SAMESITE="Lax",
)


@application.post("/login")
def log_in() -> flask.typing.ResponseReturnValue:
    if flask.request.form.get("password") != PASSWORD:
        return "wrong password", 403
    flask.session.permanent = "keep" in flask.request.form
    flask.session["user"] = flask.request.form["user"]
    return flask.redirect("/home", 303)


@application.get("/home")
def home() -> flask.typing.ResponseReturnValue:
    if "user" not in flask.session:
        return "who are you?", 401
    flask.session["visits"] = flask.session.get("visits", 0) + 1
    return f"{flask.session['user']}, visit {flask.session['visits']}"


@application.post("/logout")
def log_out() -> flask.typing.ResponseReturnValue:
    flask.session.clear()
    return "bye"


site = counted(application.wsgi_app)
