//! gRPC over HTTP/2 by hand, where a generated client or server costs more than the call: messages in their frames, requests and
//! answers of one message each, and the status at the end.
mod answer;
mod deadline;
mod frame;
mod message;
mod readable;
mod request;
mod status;
mod timed;
mod told;

pub use answer::{Whole, answer, answer_framed, answer_message, refusal, without_length};
pub use deadline::{Deadline, exceeded};
pub use frame::{FrameError, Frames, begin, finish, framed};
pub use message::{Answered, Incoming, Received, read_answer, read_answer_bytes, read_request, receive};
pub use readable::readable;
pub use request::{Once, headers};
pub use status::{accepted, of_broken, of_headers, trailers};
pub use timed::{End, last_frame, timed};
pub use told::told;
