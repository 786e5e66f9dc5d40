//! Estimates are of the right order.

use super::*;

#[test]
fn estimates_are_of_the_right_order() {
    for (text, within) in [
        (include_str!("../mod.rs"), 30),
        (include_str!("../../../README.md"), 30),
        ("今天天气很好，我们去公园散步。人工智能正在改变世界。", 40),
        ("Сегодня хорошая погода, мы идём гулять в парк.", 50),
        ("오늘은 날씨가 좋아서 공원에 갑니다.", 50),
    ] {
        let (guess, exact) = (estimate(text), Encoding::O200k.count(text));
        let off = 100 * guess.abs_diff(exact) / exact;
        assert!(off <= within, "{guess} for {exact}: {text}");
    }
    assert_eq!(estimate(""), 0);
}

#[test]
fn a_piece_of_a_stream_is_a_token_unless_it_is_a_paragraph() {
    assert_eq!(estimate_stream(0, 3), 3);
    assert_eq!(estimate_stream(29, 3), 3);
    assert_eq!(estimate_stream(31, 3), 31);
    assert_eq!(estimate_stream(7, 0), 7);
}
