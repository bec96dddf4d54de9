//! Commands, answers and events as JSON over a WebSocket: what the DevTools protocol and WebDriver BiDi have in common.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use super::error::Trouble;

/// How long a command may take that loads nothing.
pub(super) const ANSWER: Duration = Duration::from_secs(15);

/// An event of the browser.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    pub(super) method: String,
    #[serde(default)]
    pub(super) params: Value,
    /// The DevTools session it is of.
    #[serde(default, rename = "sessionId")]
    pub(super) session: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    id: u64,
    #[serde(default)]
    result: Value,
    error: Option<Value>,
    message: Option<String>,
}

impl Answer {
    fn into_result(self) -> Result<Value, String> {
        match self.error {
            None => Ok(self.result),
            // WebDriver BiDi: a code, and a message beside it.
            Some(Value::String(code)) => Err(self
                .message
                .map_or(code.clone(), |message| format!("{code}: {message}"))),
            // DevTools: an object.
            Some(error) => Err(error["message"]
                .as_str()
                .map_or_else(|| error.to_string(), str::to_owned)),
        }
    }
}

/// The connection to a browser. Clones are the same connection.
#[derive(Clone)]
pub(super) struct Session(Arc<Shared>);

struct Shared {
    outbox: mpsc::UnboundedSender<Message>,
    next: AtomicU64,
    /// Who waits for which answer. `None`: the connection is over.
    waiting: Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>,
}

impl Session {
    /// Connects, and hands each event to `on_event`, which must not block.
    pub(super) async fn connect(
        url: &str,
        mut on_event: impl FnMut(&Self, Event) + Send + 'static,
    ) -> Result<Self, Trouble> {
        let socket = match timeout(ANSWER, connect_async(url)).await {
            Ok(Ok((socket, _))) => socket,
            Ok(Err(error)) => return Err(Trouble::Start(format!("`{url}`: {error}"))),
            Err(_) => {
                let what = format!("`{url}`");
                return Err(Trouble::Late { what, after: ANSWER });
            }
        };
        let (mut sink, mut source) = socket.split();
        let (outbox, mut outgoing) = mpsc::unbounded_channel();
        let session = Self(Arc::new(Shared {
            outbox,
            next: AtomicU64::new(1),
            waiting: Mutex::new(Some(HashMap::new())),
        }));

        // Two tasks: a browser that waits for us to read must not keep us from reading because we write.
        let writer = tokio::spawn(async move {
            while let Some(message) = outgoing.recv().await {
                if sink.send(message).await.is_err() {
                    break;
                }
            }
        });
        let reader = session.clone();
        tokio::spawn(async move {
            while let Some(Ok(message)) = source.next().await {
                let Message::Text(text) = message else { continue };
                if let Ok(answer) = serde_json::from_str::<Answer>(&text) {
                    reader.hand_over(answer);
                } else if let Ok(event) = serde_json::from_str(&text) {
                    on_event(&reader, event);
                }
            }
            reader.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
            writer.abort();
        });
        Ok(session)
    }

    /// Sends a command and waits for its result. `target` is a DevTools session.
    pub(super) async fn ask(&self, target: Option<&str>, command: &str, params: Value) -> Result<Value, Trouble> {
        self.ask_within(ANSWER, target, command, params).await
    }

    pub(super) async fn ask_within(
        &self,
        deadline: Duration,
        target: Option<&str>,
        command: &str,
        params: Value,
    ) -> Result<Value, Trouble> {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        match &mut *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(waiting) => waiting.insert(id, sender),
            None => return Err(Trouble::Gone),
        };
        self.send(id, target, command, params);
        match timeout(deadline, receiver).await {
            Ok(Ok(answer)) => answer.into_result().map_err(|error| Trouble::Refused {
                command: command.to_owned(),
                error,
            }),
            Ok(Err(_)) => Err(Trouble::Gone),
            Err(_) => {
                if let Some(waiting) = &mut *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner) {
                    waiting.remove(&id);
                }
                let what = format!("the answer to `{command}`");
                Err(Trouble::Late { what, after: deadline })
            }
        }
    }

    /// Sends a command whose answer nobody needs.
    pub(super) fn tell(&self, target: Option<&str>, command: &str, params: Value) {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.send(id, target, command, params);
    }

    fn send(&self, id: u64, target: Option<&str>, command: &str, params: Value) {
        let mut message = json!({ "id": id, "method": command, "params": params });
        if let Some(target) = target {
            message["sessionId"] = target.into();
        }
        // A writer that has ended means a reader that ends: whoever waits hears of it there.
        let _ = self.0.outbox.send(Message::text(message.to_string()));
    }

    fn hand_over(&self, answer: Answer) {
        let sender = self
            .0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
            .and_then(|waiting| waiting.remove(&answer.id));
        if let Some(sender) = sender {
            // Whoever asked may have given up.
            let _ = sender.send(answer);
        }
    }
}

/// The text under `key` of a result that must have it.
pub(super) fn text(result: &Value, key: &str) -> Result<String, Trouble> {
    let found = result[key].as_str().map(str::to_owned);
    found.ok_or_else(|| Trouble::Refused {
        command: key.to_owned(),
        error: format!("the answer lacks it: `{result}`"),
    })
}
