"""The proxy that the environment, or the system's settings, put before a server."""

from __future__ import annotations

import importlib.util
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from searchkit.errors import ConfigError
from searchkit.kinds import printable

SOURCE = "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY"
_SCHEMES = ("http", "https", "socks5", "socks5h")


def proxy_of(url: str) -> str:
    """The proxy for this URL, without the password that it may have; "" for none."""
    parts, proxies = urlsplit(url), getproxies()
    found = str(proxies.get(parts.scheme) or proxies.get("all") or "")
    if not found or proxy_bypass(parts.hostname or ""):
        return ""
    scheme, apart, rest = found.rpartition("://")
    return printable(f"{scheme}{apart}{rest.rpartition('@')[2]}"[:200])


def proxied(url: str) -> bool:
    """Whether a proxy is configured for this URL."""
    return proxy_of(url) != ""


def through(url: str) -> str:
    """The beginning of a sentence about a connection that could not be made: by which proxy; "" for none."""
    proxy = proxy_of(url)
    return f"through the proxy {proxy}, which {SOURCE} names: " if proxy else ""


def check_proxy(url: str) -> None:
    """Raise `ConfigError` if the proxy for this URL is one that no client can use."""
    if why := _unusable(proxy := proxy_of(url)):
        raise ConfigError(
            f"the proxy {proxy} cannot be used, {why}: it is named by {SOURCE}. Correct or unset that, or add "
            f"{printable(urlsplit(url).hostname or '')} to NO_PROXY"
        )


def _unusable(proxy: str) -> str:
    """Why no client can use it; "" if one can."""
    if not proxy:
        return ""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        port = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in _SCHEMES:
        return f"its scheme is none of {', '.join(_SCHEMES)}"
    if not parts.hostname or port == 0:
        return "it names no host" if port != 0 else "on port 0 nobody can listen"
    if parts.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        return "which takes a package (pip install socksio)"
    return ""
