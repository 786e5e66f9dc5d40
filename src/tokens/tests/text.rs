//! Texts in pieces count as the whole, and soon.

use super::*;
use proptest::prelude::*;
use std::time::SystemTime;

/// What makes naive encoders and backtracking patterns slow, a MiB of each.
fn hostile() -> Vec<String> {
    let mib = |text: &str| text.repeat((1 << 20) / text.len());
    let mut seed = 1_u32;
    let mut letter = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (seed >> 24) as u8 % 26)
    };
    let letters: String = (0..1 << 20).map(|_| letter()).collect();
    let texts = [
        "a",
        " ",
        "\n",
        " \n",
        "\t ",
        "!",
        "'",
        "'r",
        "1",
        "A中B",
        "Ä",
        "\u{301}",
        "中",
        "👩‍👩‍👧",
        "\u{85}\u{a0}",
        "\0",
    ];
    let mut all: Vec<String> = texts.iter().map(|text| mib(text)).collect();
    all.push(mib(" ") + "x");
    all.push(letters);
    all
}

#[track_caller]
fn soon<T>(text: &str, work: impl FnOnce() -> T) -> T {
    let since = SystemTime::now();
    let done = work();
    let took = since.elapsed().unwrap_or_default();
    let start: String = text.chars().take(8).collect();
    assert!(took < PATIENCE, "{start:?}… took {took:?}");
    done
}

#[test]
fn hostile_texts_are_counted_in_time_whole_and_in_pieces() {
    for text in hostile() {
        let whole = soon(&text, || Encoding::O200k.count(&text));
        let running = soon(&text, || {
            let mut running = Running::new(Encoding::O200k);
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let (piece, after) = cut(rest, 7);
                running.push(piece);
                rest = after;
            }
            running.count()
        });
        assert_eq!(running, Count::exact(whole));
    }
}

#[test]
fn a_word_longer_than_is_held_is_counted_in_parts_and_says_so() {
    let mut running = Running::new(Encoding::O200k);
    let piece = "a".repeat(100_000);
    for _ in 0..30 {
        running.push(&piece);
    }
    let count = running.count();
    let exact = Encoding::O200k.count(&piece.repeat(30));
    assert_eq!(count.estimated, Some(Why::TooLong));
    assert!(count.tokens.abs_diff(exact) < 10, "{count:?} for {exact}");
}

/// Pieces of text that patterns treat in ways of their own.
fn fragment() -> impl Strategy<Value = String> {
    let tricky = prop::sample::select(vec![
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\u{a0}",
        "\u{3000}",
        "/",
        "'",
        "'s",
        "'r",
        "e",
        "'LL",
        "’",
        "ſ",
        "A",
        "BC",
        "Word",
        "word",
        " word",
        " The",
        "ly",
        "t",
        "中",
        "文字",
        "，",
        "。",
        "かな",
        "한국",
        "ー",
        "ก",
        "\u{301}",
        "ǅ",
        "ʰ",
        "é",
        "1",
        "234",
        "²",
        ".",
        ",",
        "!!",
        "--",
        "{\"",
        "👩‍👩‍👧",
        "\u{200d}",
        "\u{85}",
    ]);
    prop_oneof![4 => tricky.prop_map(str::to_owned), 1 => "\\PC{1,12}"]
}

fn in_pieces(encoding: Encoding, text: &str, cuts: &[usize]) -> Count {
    let mut running = Running::new(encoding);
    let mut rest = text;
    for at in cuts.iter().cycle() {
        let (piece, after) = cut(rest, *at);
        running.push(piece);
        // Asking in between must change nothing.
        if at % 2 == 0 {
            running.count();
        }
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    running.count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn pieces_count_as_the_whole(
        fragments in prop::collection::vec(fragment(), 1..150),
        cuts in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let text = fragments.concat();
        for encoding in BOTH {
            let whole = Count::exact(encoding.count(&text));
            prop_assert_eq!(in_pieces(encoding, &text, &cuts), whole);
            // As models write: a piece is a word or a part of one, and each is counted.
            let mut running = Running::new(encoding);
            let mut so_far = String::new();
            for fragment in &fragments {
                running.push(fragment);
                so_far.push_str(fragment);
                prop_assert_eq!(running.count(), Count::exact(encoding.count(&so_far)));
            }
        }
    }
}
