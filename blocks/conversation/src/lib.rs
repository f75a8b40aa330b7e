//! Conversation: an app talks to a large language model, whichever it is.
//!
//! [`Service`] has all the behaviour; [`endpoints`] and the functions of the gRPC API are its two transports. Contract:
//! surface.md 1.2, components.md 1.4 and 4.8.
mod answer;
mod error;
mod grpc;
mod http;
mod messages;
mod model;
mod scrub;
mod service;
mod tools;

pub use answer::{Answer, Answers};
pub use error::Error;
pub use grpc::{converse_alpha1, converse_alpha2};
pub use http::endpoints;
pub use model::{
    Assistant, Content, Converse, ConverseTexts, Function, FunctionCall, Input, Message, Speech, Text, TextInput, Tool,
    ToolAnswer, ToolCall,
};
pub use service::{ConversationModel, Service};
