//! Exactly one answer to a request, whatever becomes of who was to give it.

use std::fmt;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request was dropped without an answer")]
pub struct NoAnswer;

type Answer<T> = Box<dyn FnOnce(Result<T, NoAnswer>) + Send>;

/// Gives one answer of type `T`, once. Dropped without an answer, it answers [`NoAnswer`].
#[must_use = "dropped without an answer, it answers NoAnswer"]
pub struct Responder<T>(Option<Answer<T>>);

impl<T> Responder<T> {
    /// `answer` is called exactly once, on the thread that responds or drops.
    pub fn new(answer: impl FnOnce(Result<T, NoAnswer>) + Send + 'static) -> Self {
        Self(Some(Box::new(answer)))
    }

    /// Nobody waits for the answer.
    pub fn ignore() -> Self {
        Self(None)
    }

    /// Gives the answer.
    pub fn respond(mut self, answer: T) {
        if let Some(to) = self.0.take() {
            to(Ok(answer));
        }
    }
}

impl<T> Drop for Responder<T> {
    fn drop(&mut self) {
        if let Some(to) = self.0.take() {
            to(Err(NoAnswer));
        }
    }
}

impl<T> fmt::Debug for Responder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Responder")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn an_answer_arrives_once() {
        let (sender, answers) = channel();
        Responder::new(move |answer| sender.send(answer).unwrap()).respond(7);
        assert_eq!(answers.iter().collect::<Vec<_>>(), [Ok(7)]);
    }

    #[test]
    fn a_responder_that_is_dropped_says_so_once() {
        let (sender, answers) = channel();
        drop(Responder::<u8>::new(move |answer| sender.send(answer).unwrap()));
        assert_eq!(answers.iter().collect::<Vec<_>>(), [Err(NoAnswer)]);
    }

    #[test]
    fn a_provider_that_panics_has_answered() {
        let (sender, answers) = channel();
        let responder = Responder::<u8>::new(move |answer| sender.send(answer).unwrap());
        let provider = std::thread::spawn(move || {
            let _held = responder;
            panic!("a provider with a fault");
        });
        assert!(provider.join().is_err());
        assert_eq!(answers.recv(), Ok(Err(NoAnswer)));
    }
}
