"""Which revision of the agent is running."""

import functools
import os
import subprocess
from pathlib import Path
from typing import Any, Dict, Optional
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parent.parent


@functools.lru_cache(maxsize=None)
def revision() -> Dict[str, Any]:
    """The attributes of a root span; what cannot be found out is left out."""
    found = {
        "vcs.commit.sha": os.environ.get("STASO_VCS_COMMIT_SHA") or _git("rev-parse", "HEAD"),
        "vcs.branch": os.environ.get("STASO_VCS_BRANCH") or _git("symbolic-ref", "--short", "HEAD"),
        "vcs.repo_url": _address(os.environ.get("STASO_VCS_REPO_URL") or _git("remote", "get-url", "origin")),
    }
    attributes: Dict[str, Any] = {key: value for key, value in found.items() if value}
    status = _git("status", "--porcelain")
    if status is not None:
        attributes["vcs.is_dirty"] = status != ""
    return attributes


def _git(*arguments: str) -> Optional[str]:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _address(url: Optional[str]) -> Optional[str]:
    """A repository's address without credentials; a path becomes a file address."""
    if not url:
        return None
    if url.startswith("/"):
        return f"file://{url}"
    parts = urlsplit(url)
    if parts.scheme and parts.username is not None:
        return urlunsplit(parts._replace(netloc=parts.netloc.rsplit("@", 1)[-1]))
    return url
