"""The page on which a model is tried: what it answers, to whom, and how it looks in a browser."""

from __future__ import annotations

import http.client
import io
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from ferplus_data.errors import InputError
from ferplus_data.labels import EMOTIONS
from models.serving.demo_page.looking import Looker, unsure
from models.serving.demo_page.server import LARGEST, make_server
from models.serving.detection import Box


def classify(faces: np.ndarray) -> np.ndarray:
    """Bright faces are surely happy, dark ones are as sad as angry."""
    said = np.zeros((len(faces), len(EMOTIONS)), np.float32)
    bright = faces.mean(axis=(1, 2, 3)) > 127
    said[bright, EMOTIONS.index("happiness")] = 1
    said[~bright, EMOTIONS.index("sadness")], said[~bright, EMOTIONS.index("anger")] = 0.55, 0.45
    return said


def detect(picture: Image.Image) -> list[Box]:
    """The left and the right half of a wide picture, nothing in any other."""
    width, height = picture.size
    return [Box(0, 0, width // 2, height), Box(width // 2, 0, width, height)] if width > height else []


def picture(width: int = 80, height: int = 40) -> bytes:
    """The left half bright, the right half dark."""
    pixels = np.zeros((height, width), np.uint8)
    pixels[:, : width // 2] = 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_every_face_has_its_box_and_probabilities() -> None:
    looked = Looker(classify, detect).look(picture())
    assert (looked["width"], looked["height"], looked["found"]) == (80, 40, 2)
    bright, dark = looked["faces"]
    assert bright["box"] == [0, 0, 40, 40] and dark["box"] == [40, 0, 80, 40]
    assert bright["probabilities"]["happiness"] == 1 and bright["unsure"] == "sure: happiness"
    assert dark["unsure"] == "unsure between sadness and anger"


@pytest.mark.parametrize(("finder", "looked_for"), [(detect, True), (None, False)])
def test_without_a_face_the_whole_picture_is_taken(
    finder: Callable[[Image.Image], list[Box]] | None, looked_for: bool
) -> None:
    looked = Looker(classify, finder).look(picture(40, 80))
    assert looked["found"] == 0 and looked["looked_for_faces"] is looked_for
    assert [face["box"] for face in looked["faces"]] == [None]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((0.8, 0.2, 0.0), "sure: neutral"),
        ((0.79, 0.21, 0.0), "probably neutral"),
        ((0.4, 0.45, 0.15), "unsure between happiness and neutral"),
        ((0.5, 0.3, 0.2), "probably neutral"),
    ],
)
def test_how_sure_the_model_is_in_words(values: tuple[float, ...], said: str) -> None:
    assert unsure(dict(zip(EMOTIONS, values, strict=False))) == said


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = make_server(Looker(classify, detect), "faces.keras", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def ask(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def test_the_server_answers_this_machine_alone(port: int) -> None:
    status, headers, page = ask(port, "GET", "/")
    assert status == 200 and b"Pictures stay on this machine" in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert ask(port, "GET", "/", Host="elsewhere.example:80")[0] == 403
    assert ask(port, "POST", "/look", picture(), Host="elsewhere.example:80")[0] == 403
    assert ask(port, "GET", "/../../../etc/passwd")[0] == 404


@pytest.mark.parametrize(
    ("body", "headers", "why"),
    [
        (b"no picture", {}, "found no format"),
        (picture()[:80], {}, "can be read"),
        (b"", {"Content_Length": str(LARGEST + 1)}, "up to 32 MB"),
    ],
)
def test_what_is_no_picture_is_told(body: bytes, headers: dict[str, str], why: str, port: int) -> None:
    status, _, answer = ask(port, "POST", "/look", body, **headers)
    assert status == 400 and why in json.loads(answer)["error"]


def test_a_port_that_is_taken_is_named(port: int) -> None:
    with pytest.raises(InputError, match=f"expected port {port} to be free"):
        make_server(Looker(classify, None), "faces", port)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", *camera]
        )
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, port: int) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 800}, permissions=["camera"])
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request",
        lambda sent: (
            None
            if f"127.0.0.1:{port}/" in sent.url or sent.url.startswith(("blob:", "data:"))
            else wrong.append(sent.url)
        ),
    )
    page.goto(f"http://127.0.0.1:{port}/")
    yield page
    context.close()
    assert not wrong


def test_a_file_is_shown_with_a_box_and_eight_bars_for_each_face(page: Page) -> None:
    page.set_input_files("#file", {"name": "two.png", "mimeType": "image/png", "buffer": picture()})
    page.wait_for_selector("body[data-state=shown]")
    assert page.locator("#model").inner_text() == "faces.keras"
    assert page.locator(".box").count() == 2 and page.locator(".face").count() == 2
    first = page.locator(".face").first
    assert first.locator("progress").count() == 8
    assert first.locator(".bar span").first.inner_text() == "happiness"
    assert first.locator("output").first.inner_text() == "100.0 %"
    assert page.locator("h2").nth(1).inner_text() == "Face 2: unsure between sadness and anger"
    frame, box = page.locator("#picture").bounding_box(), page.locator(".box").nth(1).bounding_box()
    assert frame and box and abs(box["x"] - frame["x"] - frame["width"] / 2) < 3
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert Axe().run(page).violations_count == 0


def test_a_picture_is_dropped_and_a_wrong_one_told(page: Page) -> None:
    drop = """([bytes, type]) => {
        const moved = new DataTransfer();
        moved.items.add(new File([new Uint8Array(bytes)], "x", {type}));
        document.getElementById("drop").dispatchEvent(new DragEvent("drop", {dataTransfer: moved}));
    }"""
    page.evaluate(drop, [list(picture(40, 80)), "image/png"])
    page.wait_for_selector("body[data-state=shown]")
    assert "No face was found" in page.locator("#said").inner_text() and page.locator(".box").count() == 0
    page.evaluate(drop, [[1, 2, 3], "image/png"])
    page.wait_for_selector("body[data-state=failed]")
    assert "found no format" in page.locator("#said").inner_text() and page.locator(".face").count() == 0


def test_the_camera_is_looked_at_until_it_is_stopped(page: Page) -> None:
    page.click("#camera")
    page.wait_for_selector("body[data-state=shown]")
    assert page.locator("#video").is_visible() and page.locator(".face").count() == 2
    page.click("#camera")
    assert not page.locator("#video").is_visible()
    assert page.locator("#camera").inner_text() == "use the camera"
