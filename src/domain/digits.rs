//! Numbers in digits where the formatting machinery would cost more than all the rest.

/// Fills `places` with the last digits of `number`.
pub fn put_digits(places: &mut [u8], number: u64) {
    let mut rest = number;
    for place in places.iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}
