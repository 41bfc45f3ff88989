//! The API's own description (OpenAPI 3.1), made from the route table: what is not in the table does not exist, and what is in it stands here.

use serde_json::{Map, Value, json};

use super::route::{Kind, Method, Parameter, Route};
use super::{BASE, EXIT, answers};

/// The whole document.
#[must_use]
pub fn document(routes: &[Route], version: &str) -> Value {
    let mut paths = Map::new();
    for route in routes {
        let path = paths.entry(format!("{BASE}{}", route.path)).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.as_str().to_lowercase(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Arkki",
            "version": version,
            "description": "The command line's verbs over HTTP. Each route runs one command and answers what `arkki … --json` prints; the header Arkki-Exit bears its exit code.",
            "license": { "name": "EUPL-1.2", "identifier": "EUPL-1.2" },
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "description": "A token made with `arkki api token`." } },
            "schemas": {
                "Error": { "type": "object", "required": ["error"], "properties": { "error": { "type": "string", "description": "What is wrong, for a person." } } },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "description": format!("`arkki {}`. Role: {}.", route.command.join(" "), route.role.as_str()),
        "tags": route.command.first().into_iter().collect::<Vec<_>>(),
        "responses": responses(route),
    });
    let (in_url, in_body): (Vec<&Parameter>, Vec<&Parameter>) = route.parameters.iter().partition(|p| route.method == Method::Get || route.is_in_path(&p.name));
    let parameters: Vec<Value> = in_url
        .into_iter()
        .map(|p| {
            let is_in_path = route.is_in_path(&p.name);
            json!({
                "name": p.name,
                "in": if is_in_path { "path" } else { "query" },
                "required": is_in_path || p.required,
                "description": p.help,
                "schema": schema(p),
            })
        })
        .collect();
    if let Some(operation) = operation.as_object_mut() {
        operation.insert("parameters".to_owned(), Value::Array(parameters));
        if route.method == Method::Post {
            operation.insert("requestBody".to_owned(), body(&in_body));
        }
    }
    operation
}

fn operation_id(route: &Route) -> String {
    route.command.join("_").replace('-', "_")
}

fn body(parameters: &[&Parameter]) -> Value {
    let properties: Map<String, Value> = parameters
        .iter()
        .map(|p| {
            let mut schema = schema(p);
            if let Some(schema) = schema.as_object_mut() {
                schema.insert("description".to_owned(), json!(p.help));
            }
            (p.name.clone(), schema)
        })
        .collect();
    let required: Vec<&str> = parameters.iter().filter(|p| p.required).map(|p| p.name.as_str()).collect();
    json!({
        "required": !required.is_empty(),
        "content": { "application/json": { "schema": { "type": "object", "additionalProperties": false, "properties": properties, "required": required } } },
    })
}

fn schema(parameter: &Parameter) -> Value {
    let mut one = match parameter.kind {
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Number => json!({ "type": "integer" }),
        Kind::Text => json!({ "type": "string" }),
        Kind::File => json!({ "type": "string", "pattern": "^[A-Za-z0-9_-][A-Za-z0-9._-]*$" }),
    };
    if let Some(one) = one.as_object_mut() {
        if !parameter.choices.is_empty() && parameter.kind != Kind::Flag {
            one.insert("enum".to_owned(), json!(parameter.choices));
        }
        if let Some(default) = &parameter.default {
            let default = match parameter.kind {
                Kind::Flag => json!(default == "true"),
                Kind::Number => default.parse::<i64>().map_or_else(|_| json!(default), |n| json!(n)),
                Kind::Text | Kind::File => json!(default),
            };
            one.insert("default".to_owned(), default);
        }
    }
    if parameter.many { json!({ "type": "array", "items": one }) } else { one }
}

fn responses(route: &Route) -> Value {
    let report = |what: &str, schema: Value| {
        json!({
            "description": what,
            "headers": { EXIT: { "description": "The command's exit code.", "schema": { "type": "integer" } } },
            "content": { "application/json": { "schema": schema } },
        })
    };
    let error = |what: &str| json!({ "description": what, "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } } });
    let mut responses = json!({
        "200": report("Exit code 0: all is well, and this is the report.", answers::schema(&operation_id(route))),
        "400": error("The request cannot be meant: a parameter is wrong or missing, or it names nothing that could be done."),
        "401": error("No token, or none that is known."),
        "403": error(&format!("The token's role is less than {}.", route.role.as_str())),
        "409": report("Exit code 1: it was done or seen, and something is not well; the report says what.", json!({ "type": ["object", "array"] })),
        "429": error("Too many calls at once: come again."),
        "503": report("Exit code 2: it could not look; the report says why.", json!({ "type": "object" })),
    });
    if route.method == Method::Post
        && let Some(responses) = responses.as_object_mut()
    {
        responses.insert("413".to_owned(), error("The body is too large, or came too slowly."));
        responses.insert("415".to_owned(), error("The body is not JSON."));
    }
    responses
}
