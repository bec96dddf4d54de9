//! What each tab's pages, workers and popups wrote to the console, and what the browser wrote there about them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Texts that are kept of a tab: the last ones.
const TEXTS: usize = 200;
/// Characters that are kept of a text.
const CHARACTERS: usize = 1000;

/// The consoles of all tabs.
#[derive(Default)]
pub(super) struct Consoles(Mutex<State>);

#[derive(Default)]
struct State {
    /// By the tab's browser context.
    texts: HashMap<String, VecDeque<String>>,
    /// The browser context of each page, frame and worker.
    contexts: HashMap<String, String>,
}

impl Consoles {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self, context: &str) {
        self.state().texts.entry(context.to_owned()).or_default();
    }

    pub(super) fn close(&self, context: &str) {
        let mut state = self.state();
        state.texts.remove(context);
        state.contexts.retain(|_, found| found != context);
    }

    /// `part` is a page, a frame or a worker of the context.
    pub(super) fn assign(&self, part: &str, context: &str) {
        self.state().contexts.insert(part.to_owned(), context.to_owned());
    }

    pub(super) fn forget(&self, part: &str) {
        self.state().contexts.remove(part);
    }

    /// Keeps a text, if the context it is of is open and has not said the same already: a page that tries again and
    /// again must not push out what was said once.
    pub(super) fn note(&self, part: &str, text: &str) {
        let state = &mut *self.state();
        let texts = state
            .contexts
            .get(part)
            .and_then(|context| state.texts.get_mut(context));
        let Some(texts) = texts else { return };
        let text: String = text.chars().take(CHARACTERS).collect();
        if texts.contains(&text) {
            return;
        }
        if texts.len() == TEXTS {
            texts.pop_front();
        }
        texts.push_back(text);
    }

    pub(super) fn texts(&self, context: &str) -> Vec<String> {
        self.state().texts.get(context).into_iter().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_texts_are_kept_each_once_and_cut() {
        let consoles = Consoles::default();
        consoles.open("context");
        consoles.assign("page", "context");
        for number in 0..=TEXTS {
            consoles.note("page", &number.to_string());
            consoles.note("page", &number.to_string());
        }
        consoles.note("page", &"é".repeat(CHARACTERS + 1));
        consoles.note("another page", "not of this tab");
        let texts = consoles.texts("context");
        assert_eq!(texts.len(), TEXTS);
        assert_eq!(texts[0], "2");
        assert_eq!(texts[TEXTS - 1], "é".repeat(CHARACTERS));
    }

    #[test]
    fn nothing_is_kept_of_a_closed_tab() {
        let consoles = Consoles::default();
        consoles.open("context");
        consoles.assign("page", "context");
        consoles.close("context");
        consoles.note("page", "late");
        consoles.assign("page", "context");
        consoles.note("page", "later");
        assert!(consoles.texts("context").is_empty());
    }
}
