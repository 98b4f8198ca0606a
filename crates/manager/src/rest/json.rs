//! The form of the JSON in answers: a space after each comma and colon between values, as the compatible API writes it.
//! Monitoring scripts read single values with patterns that expect it.

use std::io::{self, Write};

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::ser::Formatter;

use super::error::Refusal;

/// An answer in JSON.
#[derive(Clone, Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut text = Vec::new();
        match self.0.serialize(&mut serde_json::Serializer::with_formatter(&mut text, Spaced)) {
            Ok(()) => {
                let kind = HeaderValue::from_static("application/json");
                ([(header::CONTENT_TYPE, kind)], text).into_response()
            }
            Err(cause) => Refusal::from(cause).into_response(),
        }
    }
}

/// One line with spaces.
#[derive(Debug)]
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.begin_array_value(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;
    use serde_json::json;

    #[tokio::test]
    async fn values_are_apart_by_a_space_and_texts_stay_as_they_are() {
        let answer = Json(json!({"a": [1, 2, {"b": null}], "c": "x,y:z", "d": {}, "e": []})).into_response();
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
        let text = to_bytes(answer.into_body(), 1_000).await.unwrap();
        assert_eq!(&text[..], br#"{"a": [1, 2, {"b": null}], "c": "x,y:z", "d": {}, "e": []}"#);
    }
}
