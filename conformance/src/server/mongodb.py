"""Starts SecantusDB, a server with MongoDB's protocol on MongoDB's storage engine, as close to MongoDB as tests need it.

Two things of it are not as in MongoDB 8: `$$NOW` does not compare with times that were stored, and strings that are no UTF-8,
which Go's driver writes for bytes, are refused.
"""
import codecs
import datetime
import sys

sys.modules["bson._cbson"] = None  # The variant in Python, whose coding of texts can be replaced.

import bson  # noqa: E402

bson._utf_8_encode = lambda text: codecs.utf_8_encode(text, "surrogateescape")
bson._utf_8_decode = lambda data, _errors=None, final=True: codecs.utf_8_decode(data, "surrogateescape", final)

from secantus import cli, expressions  # noqa: E402

resolve = expressions._resolve_var


def resolve_with_the_time(name, context):
    """Stored times have no time zone, and are in UTC."""
    if name == "NOW":
        return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    return resolve(name, context)


expressions._resolve_var = resolve_with_the_time
sys.exit(cli.main())
