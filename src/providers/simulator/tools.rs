//! Decides whether an answer calls a tool, and with which arguments.

use super::{chat::Prompt, fields::Fields, refusal::Refusal, schema};
use serde_json::Value;
use std::sync::Arc;

const TOOLS_MAX: usize = 128; // OpenAI's own bound

/// A call of one of the request's tools.
pub(super) struct ToolCall {
    pub(super) name: String,
    pub(super) arguments: Arc<str>,
}

/// The call that answers the request, if its tools are asked for.
///
/// They are when `tool_choice` says `required` or names one, and by default when the user's last message mentions
/// one by its name. What a tool returned is answered with text, so that an agent's loop comes to an end.
pub(super) fn chosen(fields: Fields<'_>, prompt: &Prompt<'_>) -> Result<Option<ToolCall>, Refusal> {
    let tools = functions(fields)?;
    if prompt.after_tool {
        return Ok(None);
    }
    let mentioned = || {
        let named = |name: &str| prompt.last_user.iter().any(|text| text.contains(name));
        tools.iter().find(|tool| named(tool.name))
    };
    let choice = fields.get("tool_choice");
    let function = match (choice.and_then(Value::as_str), named_choice(choice)) {
        (Some("none"), _) => None,
        (Some("required"), _) => Some(mentioned().or(tools.first()).ok_or_else(no_such_tool)?),
        (_, Some(name)) => Some(
            tools
                .iter()
                .find(|tool| tool.name == name)
                .ok_or_else(no_such_tool)?,
        ),
        _ => mentioned(),
    };
    Ok(function.map(Function::call))
}

struct Function<'a> {
    name: &'a str,
    parameters: Option<&'a Value>,
}

impl Function<'_> {
    fn call(&self) -> ToolCall {
        let arguments = self.parameters.map(schema::example);
        // Arguments are always an object, whatever the schema says.
        let arguments = arguments.filter(|json| json.starts_with('{'));
        let arguments = arguments.map_or_else(|| Arc::from("{}"), Arc::from);
        ToolCall {
            name: self.name.to_owned(),
            arguments,
        }
    }
}

/// The request's tools that are functions.
fn functions(fields: Fields<'_>) -> Result<Vec<Function<'_>>, Refusal> {
    let tools = fields.list("tools")?;
    if tools.len() > TOOLS_MAX {
        return Err(Refusal::param(
            "tools",
            format!("'tools' may hold {TOOLS_MAX} tools at most."),
        ));
    }
    let function = |tool| {
        let function = Value::get(tool, "function")?;
        let name = function
            .get("name")?
            .as_str()
            .filter(|name| !name.is_empty())?;
        Some(Function {
            name,
            parameters: function.get("parameters"),
        })
    };
    Ok(tools.iter().filter_map(function).collect())
}

fn named_choice(choice: Option<&Value>) -> Option<&str> {
    choice?.pointer("/function/name")?.as_str()
}

fn no_such_tool() -> Refusal {
    Refusal::param(
        "tool_choice",
        "'tool_choice' asks for a tool that 'tools' does not have.",
    )
}
