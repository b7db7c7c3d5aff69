"""An FTP server of pyftpdlib that logs every command and reply as it stood on the wire.

Files that it moved it logs as others do in xferlog.

Arguments: address, root folder, log file, user, password, xferlog.
"""

import itertools
import logging
import sys
import time
import warnings

warnings.simplefilter("ignore")

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import ThreadedFTPServer

address, root, log_path, user, password, xferlog_path = sys.argv[1:7]
log = open(log_path, "w", buffering=1, encoding="utf-8", errors="replace")
xferlog = open(xferlog_path, "w", buffering=1, encoding="utf-8", errors="replace")
numbers = itertools.count(1)


class Handler(FTPHandler):
    auth_failed_timeout = 0
    banner = "pyftpdlib ready."

    def __init__(self, *args, **kwargs):
        self.number = next(numbers)
        super().__init__(*args, **kwargs)

    def found_terminator(self):
        line = b"".join(self._in_buffer).decode("utf-8", "replace")
        log.write(f"{self.number}\tC\t{line}\n")
        super().found_terminator()

    def push(self, text):
        for line in text.rstrip("\r\n").split("\r\n"):
            log.write(f"{self.number}\tS\t{line}\n")
        super().push(text)

    def log_transfer(self, cmd, filename, receive, completed, elapsed, bytes):
        direction, status = "i" if receive else "o", "c" if completed else "i"
        kind = "a" if self._current_type == "a" else "b"
        xferlog.write(
            f"{time.ctime()} {int(elapsed)} {self.remote_ip} {bytes} {filename} "
            f"{kind} _ {direction} r {self.username} ftp 0 * {status}\n"
        )


authorizer = DummyAuthorizer()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    authorizer.add_user(user, password, root, perm="elradfmwMT")
    authorizer.add_anonymous(root)
Handler.authorizer = authorizer
logging.basicConfig(level=logging.WARNING)
# A thread and a loop for each session: one loop for all of them loses events of connections when several open and close at once.
ThreadedFTPServer((address, 21), Handler).serve_forever()
