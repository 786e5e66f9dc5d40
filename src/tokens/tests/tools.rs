//! Tools, by the rules of OpenAI's cookbook.

use super::*;

const WEATHER: &str = r#""messages":[
    {"role":"system","content":"You are a helpful assistant that can answer to questions about the weather."},
    {"role":"user","content":"What's the weather like in San Francisco?"}],
    "tools":[{"type":"function","function":{"name":"get_current_weather",
        "description":"Get the current weather in a given location",
        "parameters":{"type":"object","properties":{
            "location":{"type":"string","description":"The city and state, e.g. San Francisco, CA"},
            "unit":{"type":"string","description":"The unit of temperature to return","enum":["celsius","fahrenheit"]}},
        "required":["location"]}}}]"#;

#[test]
fn the_cookbooks_tools_are_counted_as_the_cookbook_counts_them() {
    assert_eq!(chat(gpt4(), WEATHER), Count::exact(105));
    assert_eq!(chat(gpt4o(), WEATHER), Count::exact(101));
}

#[test]
fn tools_beyond_the_cookbook_are_estimates() {
    let later = chat(Model::named("gpt-5"), WEATHER);
    assert_eq!(later, Count::estimated(101, Why::Undocumented));
    let nested = r#""messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{
        "a":{"type":"object","properties":{"b":{"type":"array","items":{"type":"string"}}}}}}}}]"#;
    assert_eq!(chat(gpt4o(), nested).estimated, Some(Why::Undocumented));
    let own = r#""messages":[],"tools":[{"type":"web_search"}]"#;
    assert_eq!(chat(gpt4o(), own).estimated, Some(Why::Undocumented));
}
