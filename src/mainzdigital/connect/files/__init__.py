"""Files in: CSV and XLSX by a declared mapping, streamed, resumable, each row exactly once."""
