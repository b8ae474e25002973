"""Calls one function of the checkout with recorded arguments and says what happened.

Reads {"nonce", "path", "function", "arguments"} from standard input. Writes one line to standard output: the nonce,
a blank, and a JSON object with "outcome": "returned" ("text"), "raised" ("type", "message"), or "unavailable" ("why").
Whatever the called code prints goes to standard error.
"""
import sys

# Python looks first in the directory of this file, where a repository could keep a `json.py` of its own.
del sys.path[0]
import importlib, inspect, json, os

LONGEST = 65536


def verdict_stream():
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return stream


def module_name(path):
    """The dotted name and the directory that must be on the path: the package of the file, as far as it goes."""
    directory, name = os.path.split(path)
    parts = [name[: -len(".py")]]
    while directory and os.path.exists(os.path.join(directory, "__init__.py")):
        directory, package = os.path.split(directory)
        parts.insert(0, package)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts), os.path.abspath(directory)


def find(request):
    name, directory = module_name(request["path"])
    sys.path[:0] = [entry for entry in (directory, os.getcwd()) if entry not in sys.path]
    target = importlib.import_module(name)
    for part in request["function"].split("."):
        if part == "<locals>":
            raise LookupError("a nested function cannot be called from outside")
        target = getattr(target, part)
    code = getattr(inspect.unwrap(target), "__code__", None)
    if code is None or not os.path.realpath(code.co_filename).startswith(os.path.realpath(os.getcwd()) + os.sep):
        raise LookupError("only functions of the checkout are called")
    return target


def call(target, arguments):
    result = target(**arguments)
    if inspect.iscoroutine(result):
        import asyncio

        result = asyncio.run(result)
    if inspect.isgenerator(result):
        result = list(result)
    return result


def text_of(result):
    if isinstance(result, str):
        return result[:LONGEST]
    try:
        return json.dumps(result, ensure_ascii=False, default=repr)[:LONGEST]
    except (TypeError, ValueError):
        return repr(result)[:LONGEST]


def raised(error):
    return {"outcome": "raised", "type": type(error).__name__, "message": str(error)[:LONGEST]}


def run(request):
    try:
        target = find(request)
    except (AttributeError, LookupError) as error:
        return {"outcome": "unavailable", "why": f"{type(error).__name__}: {error}"[:1000]}
    except BaseException as error:
        return raised(error)
    try:
        inspect.signature(target).bind(**request["arguments"])
    except TypeError as error:
        return {"outcome": "unavailable", "why": f"the recorded arguments do not fit: {error}"[:1000]}
    except ValueError:
        pass
    try:
        return {"outcome": "returned", "text": text_of(call(target, request["arguments"]))}
    except BaseException as error:
        return raised(error)


if __name__ == "__main__":
    out = verdict_stream()
    request = json.load(sys.stdin)
    sys.argv = [request["path"]]
    print(request["nonce"], json.dumps(run(request)), file=out, flush=True)
    os._exit(0)
