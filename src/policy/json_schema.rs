//! The JSON Schema of policies, made of the one table of their keys.

use serde_json::{Map, Value, json};

use super::schema::{DOCUMENT, EXPECTATIONS, Field, Shape};

/// The JSON Schema of a policy document: draft-07, which the editors' TOML tools read.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = table(DOCUMENT);
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
        object.insert("title".into(), json!("Hostbound policy"));
        if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert("$schema".into(), json!({"type": "string"}));
        }
    }
    schema
}

fn table(fields: &[Field]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields {
        let mut property = property(&field.shape);
        if let Some(object) = property.as_object_mut() {
            object.insert("description".into(), json!(field.doc));
            if let Some(default) = field.default {
                let value = serde_json::from_str(default).unwrap_or_else(|_| json!(default));
                object.insert("default".into(), value);
            }
        }
        properties.insert(field.key.into(), property);
        if field.is_required {
            required.push(field.key);
        }
    }
    json!({"type": "object", "additionalProperties": false, "properties": properties, "required": required})
}

fn property(shape: &Shape) -> Value {
    match shape {
        Shape::Text { example } => json!({"type": "string", "minLength": 1, "examples": [example]}),
        #[cfg(feature = "tokens")]
        Shape::Word { example } => json!({"type": "string", "examples": [example]}),
        #[cfg(feature = "tokens")]
        Shape::Object { .. } => json!({"type": "object"}),
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::Choice(values) => json!({"enum": values}),
        Shape::Number(values) => json!({"enum": values}),
        Shape::List { of, may_be_empty } => {
            json!({"type": "array", "items": property(of), "minItems": u8::from(!may_be_empty)})
        }
        Shape::Table(fields) => table(fields),
        Shape::Count(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Shape::Map { of, .. } => json!({"type": "object", "additionalProperties": property(of), "minProperties": 1}),
        Shape::OneOrMany(of) => {
            json!({"anyOf": [property(of), {"type": "array", "items": property(of), "minItems": 1}]})
        }
        Shape::Request => json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["method", "target", "headers"],
            "properties": {
                "id": {"type": ["string", "null"]},
                "now": {"type": "integer", "minimum": 0},
                "method": {"type": "string"},
                "scheme": {"enum": ["http", "https"], "default": "http"},
                "version": {"enum": ["1.0", "1.1", "2", "3"], "default": "1.1"},
                "target": {"type": "string"},
                "headers": {"type": "array", "items": {
                    "type": "array", "minItems": 2, "maxItems": 2, "items": [{"type": "string"}, text_or_base64()]}},
                "peer": {"type": ["string", "null"]},
                "body": text_or_base64(),
                "answers": {"type": "object", "additionalProperties": false, "properties": {
                    "keys": {"type": "object", "additionalProperties": answer()},
                    "introspection": answer(),
                }},
            },
        }),
        Shape::Expectation => {
            let properties: Map<_, _> = EXPECTATIONS.iter().map(|key| ((*key).to_owned(), json!({}))).collect();
            json!({"type": "object", "additionalProperties": false, "minProperties": 1, "properties": properties})
        }
    }
}

/// What another server answers: JSON with status 200, or all of it, or nothing.
fn answer() -> Value {
    json!({"anyOf": [
        {"type": ["string", "null"]},
        {"type": "object", "additionalProperties": false, "required": ["status", "body"], "properties": {
            "status": {"type": "integer"}, "type": {"type": ["string", "null"]}, "body": {"type": "string"}}},
    ]})
}

fn text_or_base64() -> Value {
    json!({"anyOf": [
        {"type": "string"},
        {"type": "object", "additionalProperties": false, "required": ["base64"], "properties": {"base64": {"type": "string"}}},
    ]})
}
