"""How this program writes: whole files (`whole`), in folders where it knows what is its own (`owned`), one process at a time
(`locks`)."""

from ferplus_data.files.whole import flush, write_bytes, write_file, write_json, write_text, writing

__all__ = ["flush", "write_bytes", "write_file", "write_json", "write_text", "writing"]
