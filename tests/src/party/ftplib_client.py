"""A visit by Python's ftplib. Prints what was said (C, S) and what was moved (T), tab-separated.

Arguments: address, family (4 or 6), user, password, what to do.
"""

import ftplib
import io
import sys

address, family, user, password, what = sys.argv[1:6]
v4 = family == "4"


class Ftp(ftplib.FTP):
    """ftplib with a transcript, and with the choice between PORT and EPRT that it does not offer."""

    via = "PASV"

    def putline(self, line):
        print(f"C\t{line}")
        super().putline(line)

    def getline(self):
        line = super().getline()
        print(f"S\t{line}")
        return line

    def makepasv(self):
        if self.via == "PASV":
            host, port = ftplib.parse227(self.sendcmd("PASV"))
            return self.host, port
        return ftplib.parse229(self.sendcmd("EPSV"), self.sock.getpeername())

    def sendport(self, host, port):
        return self.sendeprt(host, port) if self.via == "EPRT" else super().sendport(host, port)

    def use(self, via):
        self.via = via
        self.set_pasv(via in ("PASV", "EPSV"))


def moved(ftp, verb, count, outcome="complete"):
    print(f"T\t{verb}\t{ftp.via}\t{count}\t{outcome}")


def connect(name=user, secret=password):
    ftp = Ftp(timeout=30)
    ftp.connect(address, 21)
    ftp.login(name, secret)
    return ftp


def download(ftp, path, rest=None):
    count = 0

    def take(piece):
        nonlocal count
        count += len(piece)

    ftp.retrbinary(f"RETR {path}", take, rest=rest)
    moved(ftp, "RETR", count)


def listing(ftp):
    ftp.voidcmd("TYPE A")
    count = 0
    with ftp.transfercmd("LIST pub") as data:
        while piece := data.recv(8192):
            count += len(piece)
    ftp.voidresp()
    moved(ftp, "LIST", count)


def upload(ftp, verb, path, size):
    ftp.storbinary(f"{verb} {path}", io.BytesIO(b"x" * size))
    moved(ftp, verb, size)


def everything():
    ftp = connect()
    for via in ("PASV", "EPSV", "PORT", "EPRT"):
        if not v4 and via in ("PASV", "PORT"):
            continue
        ftp.use(via)
        download(ftp, "pub/medium.bin")
        download(ftp, "pub/empty.bin")
        upload(ftp, "STOR", f"up/lib-{via}.bin", 70_001)
        upload(ftp, "APPE", f"up/lib-{via}.bin", 1_501)
        download(ftp, "pub/medium.bin", rest=100_000)
        listing(ftp)
    ftp.cwd("pub")
    ftp.pwd()
    try:
        ftp.size("missing.bin")
    except ftplib.error_perm:
        pass
    ftp.quit()


def wrong():
    ftp = Ftp(timeout=30)
    ftp.connect(address, 21)
    try:
        ftp.login(user, "no" + password)
    except ftplib.error_perm:
        pass
    try:
        ftp.quit()
    except (ftplib.Error, EOFError, OSError):
        pass


def anonymous():
    ftp = connect("anonymous", "guest@example.org")
    ftp.use("PASV" if v4 else "EPSV")
    download(ftp, "pub/small.bin")
    ftp.quit()


def abort():
    ftp = connect()
    ftp.use("PASV" if v4 else "EPSV")
    ftp.voidcmd("TYPE I")
    data = ftp.transfercmd("RETR pub/huge.bin")
    count = 0
    while count < 200_000:
        count += len(data.recv(65536))
    ftp.putcmd("ABOR")
    data.close()
    # 426 and 226, or 226 and 225: two replies from every server.
    ftp.getmultiline()
    ftp.getmultiline()
    print("T\tRETR\t" + ftp.via + "\t-\taborted")
    ftp.quit()


{"everything": everything, "wrong": wrong, "anonymous": anonymous, "abort": abort}[what]()
