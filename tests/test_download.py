"""Models from a server: what arrives is the file that was meant, or nothing at all."""

import base64
import contextlib
import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from napari_colorgan import cli
from napari_colorgan.checkpoints import download, zoo
from napari_colorgan.checkpoints.download import DownloadFailed
from napari_colorgan.checkpoints.pix2pix import write_pix2pix
from napari_colorgan.checkpoints.store import load, save
from napari_colorgan.errors import (
    BadSetting,
    CheckpointError,
    ColorganError,
    Stopped,
)
from napari_colorgan.inference.install import import_job
from napari_colorgan.job import STOP, Control, drive, finish

ENOUGH = 60  # s
ZEROS = "0" * 64


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The user's folder of models; afterwards there is nothing in it but models."""
    folder = tmp_path / "models"
    monkeypatch.setattr(zoo, "user_folder", lambda: folder)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield folder
    assert not list(folder.glob(".*"))


class Server(ThreadingHTTPServer):
    """Answers on the loopback; what it does is decided by the path asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.users: list[str] = []
        self.leads_to = ""
        self.go_on = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def put(self, path: str, content: bytes) -> tuple[str, str]:
        """Offer a file; returns its address and its SHA-256."""
        self.files[path] = content
        return self.url(path), hashlib.sha256(content).hexdigest()

    def handle_error(self, *_) -> None:
        """Say nothing: clients that leave early are tested."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].lstrip("/")
        self.server.asked.append(path)
        self.server.users.append(self.headers.get("Authorization", ""))
        if path.startswith("to/"):
            self.send_response(302)
            self.send_header("Location", self.server.leads_to)
            self.end_headers()
            with contextlib.suppress(OSError):
                while not self.server.go_on.wait(0.01):  # a page without end
                    self.wfile.write(bytes(4096))
            return
        if path.startswith("moved/"):
            self.send_response(302)
            self.send_header("Location", self.path.replace("moved/", ""))
            self.end_headers()
            return
        content = self.server.files.get(path)
        if content is None:
            self.send_error(404, "Not Found")
            return
        self.send_response(200)
        length = {"huge": 1 << 40, "endless": 1 << 30}.get(path, len(content))
        if not path.startswith("unannounced"):
            self.send_header("Content-Length", str(length))
        self.end_headers()
        half = len(content) // 2
        self.wfile.write(content[:half])
        if path.startswith("half"):
            return
        if path.startswith("stalls"):
            self.wfile.flush()
            self.server.go_on.wait(ENOUGH)
        while path.startswith("dribbles") and not self.server.go_on.wait(0.2):
            self.wfile.write(content[half : half + 1])
        while path.startswith("endless") and not self.server.go_on.wait(0.01):
            self.wfile.write(content[half : half + 4096])
        self.wfile.write(content[half:])

    def log_message(self, *_) -> None:
        """Say nothing."""


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.go_on.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def made(make_checkpoint):
    return make_checkpoint("unet", provenance="Seeded.", description="Odd colours.")


@pytest.fixture(scope="module")
def ours(made, tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("ours") / "theirs.safetensors"
    save(made, path)
    return path.read_bytes()


def same_weights(one, other) -> bool:
    return one.weights.keys() == other.weights.keys() and all(
        (one.weights[name] == value).all() for name, value in other.weights.items()
    )


@pytest.mark.parametrize(
    "path", ["theirs.safetensors", "moved/theirs.safetensors", "unannounced", "files/7"]
)
def test_a_model_is_fetched_checked_and_installed(server, ours, made, folder, path):
    _, sha256 = server.put(path.removeprefix("moved/"), ours)
    url = server.url(path)
    events = []
    model = finish(
        import_job(f" {url}?key=x#y ", "theirs", sha256=sha256.upper()), events.append
    )
    assert zoo.find("theirs") == model and model.origin == "imported"
    stored = load(model.path)
    assert same_weights(stored, made) and stored.metadata.name == "theirs"
    provenance = f"Imported from '{url}' (SHA-256 {sha256}). Seeded."
    assert stored.metadata.provenance == provenance
    assert model.description == "Odd colours."
    assert events and all(e.done <= e.total <= len(ours) for e in events)
    assert {file.suffix for file in folder.iterdir()} == {".safetensors"}


def test_progress_counts_bytes(server, ours):
    url, sha256 = server.put("stalls", ours)
    job = import_job(url, "theirs", sha256=sha256)
    came = len(ours) // 2 // download._CHUNK * download._CHUNK
    assert 0 < came < len(ours)
    event = next(job)
    while event.done < came:
        event = next(job)
    assert (event.done, event.total) == (came, len(ours))
    server.go_on.set()
    assert finish(job).name == "theirs"


def test_weights_of_pix2pix_are_imported(
    server, make_checkpoint, tmp_path, monkeypatch
):
    options = {"depth": 5, "width": 8, "out_channels": 3}
    checkpoint = make_checkpoint("unet", options, codec="rgb")
    write_pix2pix(checkpoint, tmp_path / "latest_net_G.pth")
    content = (tmp_path / "latest_net_G.pth").read_bytes()
    url, sha256 = server.put("a/latest_net_G.pth", content)
    model = finish(import_job(url, "facades", sha256=f"sha256:{sha256}"))
    assert (model.kind, model.origin) == ("translation", "imported")
    assert f"Imported from '{url}' (SHA-256 {sha256})." in model.card
    assert model.card.startswith("# facades\n")


def test_stop_is_heard_while_the_server_says_nothing(server, ours, folder):
    url, sha256 = server.put("stalls", ours)
    job = import_job(url, "theirs", sha256=sha256)
    while next(job).done == 0:
        pass
    began = time.monotonic()
    with pytest.raises(Stopped, match="nothing of it is kept"):
        job.send(STOP)
    assert time.monotonic() - began < 5
    server.go_on.set()
    assert not folder.exists()


def test_a_server_that_goes_on_is_left(server, ours, folder):
    server.put("endless", ours)
    job = import_job(server.url("endless"), "theirs", sha256=ZEROS)
    while next(job).done == 0:
        pass
    with pytest.raises(Stopped):
        job.send(STOP)
    assert not folder.exists()
    assert not server.go_on.is_set()


def test_a_job_that_is_dropped_leaves_nothing(server, ours, folder):
    url, sha256 = server.put("stalls", ours)
    driven = drive(import_job(url, "theirs", sha256=sha256), Control())
    next(driven)
    driven.close()
    server.go_on.set()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("other", r"is not the file that was meant: its SHA-256 begins with \w{12}"),
        ("half", r"broke after [\d,]+ of [\d,]+ bytes. Try again"),
        ("missing", r"the server answers 404 \(Not Found\). Check the address"),
        ("huge", r"has more than 1 GB, which no model needs"),
    ],
)
def test_what_fails_is_said_in_a_sentence(server, ours, folder, path, sentence):
    if path != "missing":
        server.put(path, ours)
    sha256 = hashlib.sha256(b"" if path == "other" else ours).hexdigest()
    with pytest.raises(DownloadFailed, match=sentence) as failure:
        finish(import_job(server.url(path), "theirs", sha256=sha256))
    assert server.url(path) in str(failure.value)
    assert not folder.exists()


def test_what_begins_as_no_model_is_not_fetched_to_its_end(server):
    server.put("endless", b"<html>" + bytes(9000))
    with pytest.raises(CheckpointError, match="endless' is a web page"):
        finish(import_job(server.url("endless"), "theirs", sha256=ZEROS))


def test_a_file_without_end_is_given_up(server, ours, monkeypatch):
    monkeypatch.setattr(download, "_MAX_FILE", len(ours) - 1)
    url, sha256 = server.put("unannounced", ours)
    with pytest.raises(DownloadFailed, match="which no model needs"):
        finish(import_job(url, "theirs", sha256=sha256))


def test_no_network_is_said_in_a_sentence(server):
    url = server.url("theirs")
    server.shutdown()
    server.server_close()
    with pytest.raises(DownloadFailed, match="cannot be reached"):
        finish(import_job(url, "theirs", sha256=ZEROS))


# -- what a server must not be able to do


@pytest.mark.parametrize("path", ["dribbles", "stalls"])
def test_a_stop_ends_the_connection(server, ours, path):
    """Also where a byte comes now and then, so that no patience ends."""
    before = set(threading.enumerate())
    url, sha256 = server.put(path, ours)
    job = import_job(url, "theirs", sha256=sha256)
    while next(job).done == 0:
        pass
    (reader,) = (
        thread
        for thread in set(threading.enumerate()) - before
        if "fetch_into" in thread.name
    )
    assert reader.daemon  # the end of the program does not wait for it
    with pytest.raises(Stopped):
        job.send(STOP)
    reader.join(ENOUGH)
    assert not reader.is_alive() and not server.go_on.is_set()


def test_secrets_of_an_address_are_told_to_the_server_alone(server, ours, folder):
    """Neither a model and what is exported of it, nor an error names them."""
    url, sha256 = server.put("private/theirs.safetensors", ours)
    secret = url.replace("//", "//ann:s3cret@") + "?token=t0ken#part"
    model = finish(import_job(secret, "theirs", sha256=sha256))
    assert server.users == ["Basic " + base64.b64encode(b"ann:s3cret").decode()]
    assert f"Imported from '{url}' (SHA-256" in model.metadata.provenance
    stored = b"".join(path.read_bytes() for path in folder.iterdir())
    server.put("to/private", b"")
    server.leads_to = "file:///etc/passwd?token=t0ken"
    texts = [stored.decode("latin-1"), repr(model)]
    page = secret.replace("private/theirs", "page")
    _, of_page = server.put("page.safetensors", b"<html>Please log in.</html>")
    for address, digest in (
        (secret, ZEROS),  # another file
        (secret.replace("private", "absent"), sha256),
        (secret.replace("private", "to"), sha256),
        (secret.replace(str(server.server_port), "1"), sha256),  # nobody is there
        (secret.replace("http", "ftp"), sha256),
        (secret.replace("127.0.0.1", "127.0.0.1 \x01"), sha256),
        (page, of_page),
    ):
        with pytest.raises(ColorganError) as failure:
            finish(import_job(address, "other", sha256=digest))
        texts.append(str(failure.value))
    for text in texts:
        assert not any(word in text for word in ("ann:", "s3cret", "t0ken"))


@pytest.mark.parametrize(
    ("leads_to", "sentence"),
    [
        ("file:///etc/passwd", "leads to 'file:///etc/passwd', which is no address"),
        ("ftp://127.0.0.1/a", "leads to 'ftp://127.0.0.1/a', which is no address"),
        ("to/a", "leads to more than 8 other addresses"),
        ("http://[", "cannot be downloaded"),
    ],
)
def test_an_address_leads_to_addresses_alone(server, leads_to, sentence):
    """And what a server says beside that, without end, is not read."""
    server.leads_to = leads_to
    with pytest.raises(DownloadFailed, match=sentence):
        finish(import_job(server.url("to/a"), "theirs", sha256=ZEROS))


def test_what_came_safely_is_not_fetched_unsafely():
    target = download._Target("https://ann:s3cret@a.org/model")
    for there in ("https://b.org/x", "/x", "https://a.org:443/x"):
        assert target._led(target._url, there).startswith("https://")
    with pytest.raises(DownloadFailed, match=r"'https://a.org/model' leads to 'http:"):
        target._led(target._url, "http://a.org/model?token=1")
    # who has signed in here has not signed in there
    assert target._led(target._url, "/x") == "https://ann:s3cret@a.org/x"
    assert target._led(target._url, "https://a.org/x").startswith("https://ann:s3")
    assert target._led(target._url, "https://b.org/x") == "https://b.org/x"


@pytest.mark.parametrize("path", ["page", "page.safetensors", "page.pth"])
def test_a_file_that_is_no_model_is_refused_by_its_address(server, path, folder):
    url, sha256 = server.put(path, b"<html>Please log in.</html>")
    with pytest.raises(CheckpointError) as failure:
        finish(import_job(url, "theirs", sha256=sha256))
    assert str(failure.value).startswith(f"'{url}' is a web page")
    assert not zoo.user_folder().joinpath("theirs.safetensors").exists()


@pytest.mark.parametrize(
    ("url", "sha256", "name", "sentence"),
    [
        ("ftp://127.0.0.1/a", ZEROS, "new", "address is .* begins with https://"),
        ("file:///etc/passwd", ZEROS, "new", "address is"),
        ("https://", ZEROS, "new", "address is"),
        ("http://[", ZEROS, "new", "address is"),
        ("{}", "abc", "new", "SHA-256 is 'abc'; it must be 64 hexadecimal digits"),
        ("{}", "g" * 64, "new", "64 hexadecimal digits"),
        ("{}", ZEROS, "a/b", "name is 'a/b'"),
        ("{}", ZEROS, "natural", "shipped"),
    ],
)
def test_what_cannot_be_is_refused_before_anybody_is_asked(
    server, folder, url, sha256, name, sentence
):
    with pytest.raises(BadSetting, match=sentence):
        finish(import_job(url.format(server.url("a")), name, sha256=sha256))
    assert not server.asked and not folder.exists()


def test_a_name_is_replaced_only_if_the_user_says_so(server, ours, made):
    zoo.install(made, "theirs", "# Of my own\n")
    url, sha256 = server.put("a", ours)
    with pytest.raises(zoo.NameTaken):
        finish(import_job(url, "theirs", sha256=sha256))
    assert not server.asked and zoo.find("theirs").origin == "mine"
    finish(import_job(url, "theirs", sha256=sha256, replace_old=True))
    assert zoo.find("theirs").origin == "imported"


def test_a_folder_that_cannot_be_written_gives_a_sentence(server, folder):
    folder.write_text("a file where the folder should be")
    with pytest.raises(CheckpointError, match="cannot be written"):
        finish(import_job(server.url("a"), "theirs", sha256=ZEROS))
    assert not server.asked


def test_a_full_disk_gives_a_sentence(server, ours, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    url, sha256 = server.put("a", ours)
    monkeypatch.setattr("napari_colorgan.checkpoints.atomic.os.fsync", full)
    with pytest.raises(CheckpointError, match=r"No space left on device. Choose"):
        finish(import_job(url, "theirs", sha256=sha256))


@pytest.mark.parametrize("name", ["import", "download"])  # what it was called before
def test_colorgan_import_of_an_address(server, ours, name):
    url, sha256 = server.put("a", ours)
    command = [name, url, "--name", "theirs", "--sha256"]
    run = CliRunner().invoke
    done = run(cli.app, [*command, sha256])
    assert done.exit_code == 0 and "'theirs': Odd colours." in done.stdout
    assert zoo.find("theirs").origin == "imported"
    again = run(cli.app, [*command, sha256])
    assert again.exit_code == 2 and "already have a model" in again.stderr
    other = run(cli.app, [*command, ZEROS, "--replace"])
    assert other.exit_code == 2 and "not the file that was meant" in other.stderr
    assert len(other.stderr.splitlines()) == 1
