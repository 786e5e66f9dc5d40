//! The operations of a document, each below its path and its method.

use crate::{
    server::path,
    wire::{
        about::{About, Content, Credential, Parameter},
        error,
        schema::Schema,
    },
};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Named schemas.
pub(super) type Shapes = BTreeMap<&'static str, Value>;

/// The paths so far, and the shapes that they speak of.
#[derive(Default)]
pub(super) struct Paths {
    paths: Map<String, Value>,
    shapes: Shapes,
}

impl Paths {
    /// Adds an operation that these servers have. One that is there already is had by more of them then, and may be
    /// asked for with more credentials.
    pub(super) fn add(
        &mut self,
        method: &Method,
        template: &str,
        about: &About,
        servers: Vec<Value>,
    ) {
        let mut operation = self.operation(method, template, about);
        operation["servers"] = servers.into();
        let path = self.paths.entry(template).or_insert_with(|| json!({}));
        let known = &mut path[method.as_str().to_ascii_lowercase()];
        if known.is_null() {
            *known = operation;
            return;
        }
        for name in ["servers", "security"] {
            if let (Some(all), Some(more)) =
                (known[name].as_array_mut(), operation[name].as_array())
            {
                all.extend(
                    more.iter()
                        .filter(|one| !all.contains(one))
                        .cloned()
                        .collect::<Vec<_>>(),
                );
            }
        }
    }

    /// The paths, and the schemas by name.
    pub(super) fn into_json(mut self) -> (Value, Value) {
        error::SHAPE.gather(&mut self.shapes);
        (self.paths.into(), json!(self.shapes))
    }

    fn operation(&mut self, method: &Method, template: &str, about: &About) -> Value {
        let words = template
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty());
        let id: Vec<&str> = words.collect();
        let mut operation = json!({
            "operationId": format!("{}_{}", method.as_str().to_ascii_lowercase(), id.join("_")),
            "tags": [about.tag],
            "summary": about.summary,
            "security": security(about.credential),
            "responses": self.responses(template, about),
        });
        if !about.details.is_empty() {
            operation["description"] = about.details.into();
        }
        let named = template.split('/').filter_map(path::name).map(of_path);
        let asked = (about.parameters)().into_iter();
        let asked = asked.map(|parameter| of_query(parameter, &mut self.shapes));
        let parameters: Vec<Value> = named.chain(asked).collect();
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(shape) = about.takes {
            let schema = Schema::named(shape).into_json(&mut self.shapes);
            // A body that is left out is an object without members.
            let needs = self.shapes[shape.name].get("required").is_some();
            operation["requestBody"] = json!({
                "required": needs, "content": {"application/json": {"schema": schema}},
            });
        }
        operation
    }

    fn responses(&mut self, template: &str, about: &About) -> Value {
        let mut responses = Map::new();
        for (status, content) in about.gives {
            let mut response = response(*status);
            if let Some(content) = self.content(*content) {
                response["content"] = content;
            }
            responses.insert(status.to_string(), response);
        }
        for status in refusals(template, about) {
            responses
                .entry(status.to_string())
                .or_insert_with(|| refusal(response(status)));
        }
        let any = json!({"description": "Any other refusal", "headers": headers(500)});
        responses.insert("default".to_owned(), refusal(any));
        responses.into()
    }

    fn content(&mut self, content: Content) -> Option<Value> {
        match content {
            Content::Empty => None,
            Content::Json(shape) => {
                let schema = Schema::named(shape).into_json(&mut self.shapes);
                Some(json!({"application/json": {"schema": schema}}))
            }
            Content::Text(kinds) => {
                let kinds = kinds.iter().map(|kind| {
                    let text = json!({"schema": {"type": "string"}});
                    ((*kind).to_owned(), text)
                });
                Some(Value::Object(kinds.collect()))
            }
        }
    }
}

/// The statuses that an operation refuses with.
fn refusals(template: &str, about: &About) -> Vec<u16> {
    let mut statuses = about.refuses.to_vec();
    if !(about.parameters)().is_empty() || about.takes.is_some() {
        statuses.push(400);
    }
    match about.credential {
        Credential::None => {}
        Credential::Admin => statuses.extend([401, 403]),
        Credential::Key => statuses.push(401),
    }
    if template.split('/').any(|part| path::name(part).is_some()) {
        statuses.push(404);
    }
    if about.takes.is_some() {
        statuses.extend([408, 413, 415]);
    }
    statuses.sort_unstable();
    statuses.dedup();
    statuses
}

fn response(status: u16) -> Value {
    let reason = StatusCode::from_u16(status).ok();
    let reason = reason.and_then(|status| status.canonical_reason());
    json!({"description": reason.unwrap_or_default(), "headers": headers(status)})
}

/// With OpenAI's error object.
fn refusal(mut response: Value) -> Value {
    let error = format!("#/components/schemas/{}", error::SHAPE.name);
    response["content"] = json!({"application/json": {"schema": {"$ref": error}}});
    response
}

fn headers(status: u16) -> Value {
    let mut headers = json!({"x-request-id": {"$ref": "#/components/headers/RequestId"}});
    if matches!(status, 429 | 503) {
        headers["retry-after"] = json!({"$ref": "#/components/headers/RetryAfter"});
    }
    headers
}

fn security(credential: Credential) -> Value {
    match credential {
        Credential::None => json!([]),
        Credential::Admin => json!([{"adminKey": []}, {"userToken": []}]),
        Credential::Key => json!([{"apiKey": []}, {"userToken": []}]),
    }
}

fn of_path(name: &str) -> Value {
    json!({
        "name": name, "in": "path", "required": true,
        "schema": {"type": "string", "minLength": 1, "maxLength": 256},
    })
}

fn of_query(parameter: Parameter, shapes: &mut Shapes) -> Value {
    let mut schema = parameter.schema.into_json(shapes);
    let mut value = json!({"name": parameter.name, "in": "query"});
    if let Some(words) = schema
        .as_object_mut()
        .and_then(|all| all.remove("description"))
    {
        value["description"] = words;
    }
    if parameter.is_required {
        value["required"] = true.into();
    }
    value["schema"] = schema;
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_servers_have_is_there_once_with_the_credentials_of_both() {
        let mut paths = Paths::default();
        let about = About::new("Tag", "Who one is");
        for (credential, server) in [(Credential::Admin, "/"), (Credential::Key, "{data_plane}")] {
            let servers = vec![json!({"url": server})];
            let about = about.credential(credential);
            paths.add(&Method::GET, "/v1/me", &about, servers.clone());
            paths.add(&Method::GET, "/v1/me", &about, servers);
        }
        let (paths, _) = paths.into_json();
        let me = &paths["/v1/me"]["get"];
        assert_eq!(
            me["servers"],
            json!([{"url": "/"}, {"url": "{data_plane}"}])
        );
        let security = me["security"].as_array().unwrap();
        for credential in ["adminKey", "apiKey"] {
            let with = security.iter().filter(|one| one.get(credential).is_some());
            assert_eq!(with.count(), 1, "{security:?}");
        }
    }
}
