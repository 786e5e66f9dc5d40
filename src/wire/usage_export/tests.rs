use super::{Figures, read};
use crate::domain::Day;
use proptest::prelude::{any, prop, proptest};
use serde_json::{Value, json};

const START: u64 = 20_000 * 86_400;

fn page(start: u64, results: &Value) -> Value {
    let bucket = json!({"object": "bucket", "start_time": start, "end_time": start + 3600, "results": results});
    json!({"object": "page", "data": [bucket], "has_more": false, "next_page": null})
}

fn result(model: Option<&str>, input: u64) -> Value {
    json!({
        "object": "organization.usage.completions.result", "model": model, "num_model_requests": 1,
        "input_tokens": input, "input_cached_tokens": 2, "output_tokens": 3, "batch": null,
    })
}

#[test]
fn pages_are_read_one_by_one_and_in_a_list() {
    let one = page(START, &json!([result(Some("a"), 10), result(Some("b"), 1)]));
    let two = page(START + 3600, &json!([result(Some("a"), 5)]));
    let day = Day::of_millis(START * 1000);
    for text in [format!("{one:#}\n{two}"), json!([one, two]).to_string()] {
        let export = read(&text).unwrap();
        let a = Figures {
            requests: 2,
            input: 15,
            cached: 4,
            output: 6,
        };
        assert_eq!(export.used.len(), 2);
        assert_eq!(export.used[&(day, Some("a".to_owned()))], a);
        assert_eq!(export.span, (START, START + 7200));
        assert!(export.kinds.contains("completions"));
    }
}

#[test]
fn a_figure_that_is_null_is_none() {
    let text = page(START, &json!([result(None, 10)])).to_string();
    let text = text.replace("\"input_cached_tokens\":2", "\"input_cached_tokens\":null");
    let export = read(&text).unwrap();
    let used = export.used.into_values().next().unwrap();
    assert_eq!((used.input, used.cached, used.output), (10, 0, 3));
}

#[test]
fn a_table_is_read_with_days_on_which_nothing_was_used() {
    let header = "\u{feff}start_time,end_time,start_time_iso,end_time_iso,num_model_requests,model,input_tokens,output_tokens";
    let next = START + 86_400;
    let text = format!(
        "{header}\r\n{START},{next},x,y,7,\"a,b\",100,20\r\n{next},{},x,y,,,,\r\n",
        next + 86_400
    );
    let export = read(&text).unwrap();
    let used: Vec<_> = export.used.iter().collect();
    let expected = Figures {
        requests: 7,
        input: 100,
        cached: 0,
        output: 20,
    };
    assert_eq!(
        used,
        [(
            &(Day::of_millis(START * 1000), Some("a,b".to_owned())),
            &expected
        )]
    );
    assert_eq!(export.span, (START, next + 86_400));
    assert_eq!(export.untold.iter().collect::<Vec<_>>(), [&"cached"]);
    let empty = format!("start_time,end_time,start_time_iso,end_time_iso\n{START},{next},x,y\n");
    let empty = read(&empty).unwrap();
    assert!(empty.used.is_empty() && empty.untold.is_empty());
}

#[test]
fn what_cannot_be_read_is_named_with_its_line() {
    let twice = page(START, &json!([result(Some("a"), 10)]));
    let mixed = page(START, &json!([result(Some("a"), 10), result(None, 1)]));
    let costs = page(START, &json!([{"object": "organization.costs.result"}]));
    let long = json!({"data": [{"start_time": START - 1, "end_time": START + 1, "results": []}]});
    for (text, expected) in [
        (String::new(), "line 1: neither JSON"),
        ("a,b\n1,2\n".to_owned(), "line 1: neither JSON"),
        (
            "start_time,end_time\n1,x\n".to_owned(),
            "line 2: end_time is no number",
        ),
        (
            "start_time,end_time\n\n5,5\n".to_owned(),
            "line 3: a bucket that ends",
        ),
        ("start_time,end_time\n1,\"2\n".to_owned(), "line 2: a quote"),
        (
            format!("start_time,end_time,input_tokens\n{START},{}\n", START + 1),
            "line 2: 2 values where the heading has 3",
        ),
        (
            "start_time,end_time\n".to_owned(),
            "line 1: there is no bucket",
        ),
        (
            "start_time,end_time,amount_value\n".to_owned(),
            "line 1: an export of costs",
        ),
        ("{}".to_owned(), "line 1: no page"),
        ("\n\n{\"data\": [}".to_owned(), "line 3: no page"),
        (format!("{twice}\n{twice}"), "line 2: the bucket"),
        (
            format!("{twice}\n{}", twice.to_string().replace(":10,", ":10.0,")),
            "line 2: no page of OpenAI's usage API: invalid type: floating point `10.0`",
        ),
        (
            "start_time,end_time,input_tokens, input_tokens\n".to_owned(),
            "line 1: the column `input_tokens` is there twice",
        ),
        (mixed.to_string(), "line 1: some results"),
        (costs.to_string(), "line 1: no usage"),
        (long.to_string(), "line 1: a bucket that is not of one day"),
    ] {
        let fault = read(&text).unwrap_err().to_string();
        assert!(fault.starts_with(expected), "{text}: {fault}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}\",:0-9a-z_\n]{0,60}", cells in prop::collection::vec(any::<u64>(), 2)) {
        let _ = read(&text);
        let _ = read(&format!("start_time,end_time,input_tokens\n{},{},{text}", cells[0], cells[1]));
    }
}
