//! A headless Chromium, spoken to by its DevTools protocol. A typed client would refuse what a newer browser says; this
//! one reads what it needs.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket, client};

use crate::harness::LIMIT;

/// A browser of its own, with a fresh profile. It does not outlive its test.
pub(crate) struct Chromium {
    child: Child,
    /// `127.0.0.1:port`.
    address: String,
    root: Session,
    _profile: TempDir,
}

impl Chromium {
    /// Starts it; nothing where there is none.
    pub(crate) fn start() -> Option<Self> {
        let program = program()?;
        let profile = tempfile::tempdir().expect("there is room for a profile");
        let mut child = Command::new(program)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--disable-background-networking", "--hide-scrollbars", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the browser starts");
        let said = BufReader::new(child.stderr.take().expect("it is piped"));
        let (listens, listening) = channel();
        // All that it says is read, so that it never waits for us.
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once("listening on ") {
                    // Nobody waits any more when the test has failed.
                    let _ = listens.send(url.trim().to_owned());
                }
            }
        });
        let url = listening.recv_timeout(LIMIT).unwrap_or_else(|_| {
            let _ = child.kill();
            panic!("the browser does not listen: it ended with {:?}", child.wait());
        });
        let address = url.trim_start_matches("ws://").split('/').next().expect("a part").to_owned();
        let root = Session::connect(&address, &url);
        Some(Self { child, address, root, _profile: profile })
    }

    /// A new, empty tab.
    pub(crate) fn tab(&mut self) -> Session {
        let target = self.root.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let id = target["targetId"].as_str().expect("a target has an id");
        let mut tab = Session::connect(&self.address, &format!("ws://{}/devtools/page/{id}", self.address));
        for domain in ["Page", "Runtime", "Log", "Network", "DOM"] {
            tab.call(&format!("{domain}.enable"), &json!({}));
        }
        tab
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Asked to, it takes its own processes along, which would go on to write into the profile.
        let close = json!({ "id": 0, "method": "Browser.close" });
        let _ = self.root.socket.send(Message::text(close.to_string()));
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("STRESS_CHROMIUM").filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().flat_map(|name| places.iter().map(move |place| place.join(name))).find(|file| file.is_file())
}

/// A conversation with a tab, or with the browser as a whole.
pub(crate) struct Session {
    socket: WebSocket<TcpStream>,
    calls: u64,
    /// What it told without being asked.
    events: Vec<Value>,
}

impl Session {
    fn connect(address: &str, url: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the browser listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a socket has a timeout");
        let (socket, _) = client(url, stream).expect("the browser speaks WebSocket");
        Self { socket, calls: 0, events: Vec::new() }
    }

    /// Calls a method and waits for its result.
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        let call = json!({ "id": self.calls, "method": method, "params": parameters });
        self.socket.send(Message::text(call.to_string())).expect("the browser is there");
        loop {
            let mut answer = self.read();
            if answer["id"] == self.calls {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
            self.events.push(answer);
        }
    }

    fn read(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.socket.read().expect("the browser answers") {
                return serde_json::from_str(&text).expect("it speaks JSON");
            }
        }
    }

    /// Opens an address and waits until it is loaded and, where scripts run, alive.
    pub(crate) fn open(&mut self, url: &str) {
        self.events.clear();
        self.call("Page.navigate", &json!({ "url": url }));
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// What an expression comes to, promises awaited.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut done = self.call("Runtime.evaluate", &parameters);
        assert!(done["exceptionDetails"].is_null(), "{expression}: {}", done["exceptionDetails"]);
        done["result"]["value"].take()
    }

    /// Waits until an expression is true.
    pub(crate) fn until(&mut self, expression: &str) {
        let start = Instant::now();
        while self.evaluate(expression) != true {
            assert!(start.elapsed() < LIMIT, "it never came true: {expression}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The width of the screen, in pixels.
    pub(crate) fn width(&mut self, width: u32) {
        let parameters = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.call("Emulation.setDeviceMetricsOverride", &parameters);
    }

    /// What the reader prefers: `("prefers-color-scheme", "dark")`.
    pub(crate) fn prefer(&mut self, feature: &str, value: &str) {
        let parameters = json!({ "features": [{ "name": feature, "value": value }] });
        self.call("Emulation.setEmulatedMedia", &parameters);
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: &str) {
        let text = if key.len() == 1 { key } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let parameters = json!({ "type": kind, "key": key, "code": key, "text": if kind == "keyDown" { text } else { "" },
                "windowsVirtualKeyCode": match key { "Tab" => 9, "Enter" => 13, "Escape" => 27, _ => 0 } });
            self.call("Input.dispatchKeyEvent", &parameters);
        }
    }

    /// Moves the mouse, with a button held down or not.
    pub(crate) fn mouse(&mut self, kind: &str, (x, y): (f64, f64)) {
        let button = if kind == "mouseMoved" { "none" } else { "left" };
        let parameters = json!({ "type": kind, "x": x, "y": y, "button": button, "buttons": 1, "clickCount": 1 });
        self.call("Input.dispatchMouseEvent", &parameters);
    }

    /// Everything that went wrong in the page so far.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // Whatever is under way has been told once the page answers again.
        self.evaluate("new Promise((done) => setTimeout(done, 50))");
        let is_bad = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => {
                ["error", "warning", "assert"].map(Value::from).contains(&event["params"]["type"])
            }
            Some("Log.entryAdded") => {
                ["error", "warning"].map(Value::from).contains(&event["params"]["entry"]["level"])
            }
            _ => false,
        };
        let told = self.events.iter().filter(is_bad).map(|event| event["params"].to_string());
        // That is said to who looks at pixels, which is what a test does.
        told.filter(|told| !told.contains("willReadFrequently")).collect()
    }

    /// The addresses that the page asked for since it was opened, its own included.
    pub(crate) fn requests(&self) -> Vec<&str> {
        let asked = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        asked.filter_map(|event| event["params"]["request"]["url"].as_str()).collect()
    }
}
