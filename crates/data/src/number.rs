//! Numbers as people write them: plain, with a decimal comma, thousands, currency, percent.
//!
//! The fast path handles at most 19 digits by hand and is exact. Where the digits form an integer below 2^53 and the
//! power of ten is at most 10^22, both are exact doubles and one division rounds correctly (Clinger 1990, "How to read
//! floating point numbers accurately"). Longer ones, as programs write doubles in full, are divided as integers with
//! remainder ([`divided`]). All else goes to the standard library's correctly rounded parser.

use kaizen_table::NumberStyle;

use crate::words::trimmed;

/// What a cell is when a number is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reading {
    /// A finite number.
    Value(Value),
    /// Infinite or too large for a double.
    Infinite,
    /// No number.
    Not,
}

/// A number and what its notation tells.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts about one notation")]
pub(crate) struct Value {
    /// The number.
    pub number: f64,
    /// Digits only: no decimal mark and no exponent.
    pub integer: bool,
    /// Written like a code: a zero before other digits, or a plus before seven or more.
    pub code_like: bool,
    /// An integer beyond 2^53.
    pub huge: bool,
    /// Read with the other decimal mark than the column's.
    pub other_mark: bool,
    /// Read through thousands separators, a currency sign, a percent sign or accountants' brackets.
    pub decorated: bool,
}

const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Largest integer below which all integers are doubles.
const EXACT: u64 = 1 << 53;

/// Digits that always fit 64 bits.
const SAFE_DIGITS: usize = 19;

/// Powers of ten that fit 64 bits, each with its width in bits and its reciprocal.
const DIVISORS: [Divisor; SAFE_DIGITS + 1] = Divisor::all();

/// Digits from which a number with a plus sign is taken for a telephone number.
const PHONE_DIGITS: usize = 7;

/// Reads a plain number (decimal point, no decoration) that fills `cell` from end to end.
#[inline]
pub(crate) fn plain(cell: &[u8]) -> Option<Value> {
    plain_with(cell, b'.')
}

/// Reads a number without decoration that fills `cell` from end to end; `mark` is the decimal mark.
#[inline]
pub(crate) fn plain_with(cell: &[u8], mark: u8) -> Option<Value> {
    let (negative, plus, digits) = match cell.first()? {
        b'-' => (true, false, &cell[1..]),
        b'+' => (false, true, &cell[1..]),
        _ => (false, false, cell),
    };
    if let Some((mantissa, decimals)) = short(digits, mark) {
        let number = f64::from(mantissa) / POWERS[decimals.unwrap_or(0)];
        let number = if negative { -number } else { number };
        let integer = decimals.is_none();
        let code_like =
            integer && digits.len() > 1 && (digits[0] == b'0' || plus && digits.len() >= PHONE_DIGITS);
        return Some(Value { number, integer, code_like, huge: false, other_mark: false, decorated: false });
    }
    long(cell, digits, mark, negative, plus)
}

/// Reads digits with at most one mark, eight bytes in all; gives them as an integer, and how many came after the mark.
///
/// They are brought to the end of eight bytes, with zeros before them, and are read at once: how long they are and
/// where their mark is decides on shifts and never on a branch.
#[inline(always)]
fn short(digits: &[u8], mark: u8) -> Option<(u32, Option<usize>)> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    let length = digits.len();
    if length == 0 || length > 8 {
        return None;
    }
    let free = 8 * (8 - length as u32);
    let word = first_bytes(digits) << free | (ZEROS.checked_shr(64 - free).unwrap_or(0));
    // The upper bit of each byte that is a mark.
    let differs = word ^ (ONES * u64::from(mark));
    let marks = !(((differs & SEVEN) + SEVEN) | differs | SEVEN);
    if marks == 0 {
        return eight_digits(word).map(|number| (number as u32, None));
    }
    let place = marks.trailing_zeros() & !7;
    let before = word & ((1 << place) - 1);
    // What is before the mark moves over it; a second mark is no digit.
    let after = word.checked_shr(place + 8).unwrap_or(0).checked_shl(place + 8).unwrap_or(0);
    let digit_count = length - 1;
    let number = eight_digits(before << 8 | u64::from(b'0') | after)?;
    (digit_count > 0).then_some((number as u32, Some(7 - place as usize / 8)))
}

/// At most eight bytes as a little-endian number.
#[inline(always)]
fn first_bytes(bytes: &[u8]) -> u64 {
    let four = |start: usize| {
        let mut word = [0u8; 4];
        word.copy_from_slice(&bytes[start..start + 4]);
        u64::from(u32::from_le_bytes(word))
    };
    match bytes.len() {
        // Bytes that are read twice are the same at the same place.
        length @ 4.. => four(0) | four(length - 4) << (8 * (length - 4)),
        3 => u64::from(bytes[0]) | u64::from(bytes[1]) << 8 | u64::from(bytes[2]) << 16,
        2 => u64::from(bytes[0]) | u64::from(bytes[1]) << 8,
        1 => u64::from(bytes[0]),
        0 => 0,
    }
}

/// Reads a number of more than eight bytes, or one that is none: `digits` are `cell` without its sign.
fn long(cell: &[u8], digits: &[u8], mark: u8, negative: bool, plus: bool) -> Option<Value> {
    let (whole, mut mantissa) = run(digits, 0, 0);
    let mut position = whole;
    let mut decimals = 0;
    if position < digits.len() && digits[position] == mark {
        let start = position + 1;
        (position, mantissa) = run(digits, start, mantissa);
        decimals = position - start;
    }
    if whole + decimals == 0 {
        return None;
    }
    let integer = position == whole;
    let code_like = integer
        && ((whole > 1 && digits[0] == b'0') || (plus && whole >= PHONE_DIGITS))
        && position == digits.len();
    if position == digits.len() && whole + decimals <= SAFE_DIGITS && (mantissa < EXACT || decimals > 0) {
        let number =
            if mantissa < EXACT { mantissa as f64 / POWERS[decimals] } else { divided(mantissa, decimals) };
        let number = if negative { -number } else { number };
        return Some(Value { number, integer, code_like, huge: false, other_mark: false, decorated: false });
    }
    slow(cell, mark, position + usize::from(negative || plus), integer, code_like)
}

/// Goes over the digits of `bytes` from `position` on, appending them to `mantissa` modulo 2^64; gives the position
/// after them.
#[inline(always)]
fn run(bytes: &[u8], mut position: usize, mut mantissa: u64) -> (usize, u64) {
    while let Some(eight) =
        bytes.get(position..position + 8).and_then(|eight| eight_digits(first_bytes(eight)))
    {
        mantissa = mantissa.wrapping_mul(100_000_000).wrapping_add(eight);
        position += 8;
    }
    while let Some(digit) = digit_at(bytes, position) {
        mantissa = mantissa.wrapping_mul(10).wrapping_add(digit);
        position += 1;
    }
    (position, mantissa)
}

/// The number that eight bytes spell, the first of them the lowest, if all are digits. Neighbours are joined in pairs, pairs in fours, fours in
/// eights, each by one multiplication (Lemire 2021, "Number parsing at a gigabyte per second", section 6).
#[inline(always)]
fn eight_digits(word: u64) -> Option<u64> {
    // A byte is a digit if its upper half is 3, before and after 6 is added.
    let upper = 0xf0f0_f0f0_f0f0_f0f0;
    let sixes = word.wrapping_add(0x0606_0606_0606_0606);
    if word & upper | (sixes & upper) >> 4 != 0x3333_3333_3333_3333 {
        return None;
    }
    let digits = word & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = (digits.wrapping_mul(10 << 8 | 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000 << 32 | 1) >> 32)
}

/// A power of ten to divide by.
#[derive(Clone, Copy)]
struct Divisor {
    power: u64,
    /// Bits of `power`.
    width: u32,
    /// 2^(63 + width) / power, rounded down; for 1, whose own would not fit, any number below it.
    reciprocal: u64,
}

impl Divisor {
    const fn all() -> [Self; SAFE_DIGITS + 1] {
        let mut all = [Self { power: 1, width: 1, reciprocal: u64::MAX }; SAFE_DIGITS + 1];
        let mut index = 1;
        while index < all.len() {
            let power = all[index - 1].power * 10;
            let width = u64::BITS - power.leading_zeros();
            all[index] = Self { power, width, reciprocal: ((1u128 << (63 + width)) / power as u128) as u64 };
            index += 1;
        }
        all
    }
}

/// The double nearest to `mantissa` / 10^`decimals`, ties to even; `mantissa` is not zero.
///
/// The quotient is made as an integer of 63 or 64 bits, of which the last also says whether there was a remainder, so
/// the one rounding to 53 bits sees all that decides it. It begins as a product with the reciprocal, which is at most
/// two too small (one for the part of the reciprocal that was rounded off, one for the part of the product), and is
/// then mended by its remainder.
fn divided(mantissa: u64, decimals: usize) -> f64 {
    let Divisor { power, width, reciprocal } = DIVISORS[decimals];
    let shift = mantissa.leading_zeros();
    let dividend = mantissa << shift;
    let mut quotient = ((u128::from(dividend) * u128::from(reciprocal)) >> 64) as u64;
    let mut rest = (u128::from(dividend) << (width - 1)) - u128::from(quotient) * u128::from(power);
    // Without a branch: whether there is more to take is a matter of chance.
    for _ in 0..2 {
        let more = rest >= u128::from(power);
        rest -= u128::from(if more { power } else { 0 });
        quotient += u64::from(more);
    }
    debug_assert!(rest < u128::from(power), "{mantissa} / 10^{decimals}");
    let rounded = (quotient | u64::from(rest != 0)) as f64;
    // 2^-(shift + width - 1), at least 2^-126.
    rounded * f64::from_bits(u64::from(1023 - (shift + width - 1)) << 52)
}

#[inline(always)]
fn digit_at(bytes: &[u8], position: usize) -> Option<u64> {
    let digit = bytes.get(position)?.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}

/// Reads an exponent, or more digits than the fast path can hold. `end` is where mantissa and decimals end.
#[cold]
fn slow(cell: &[u8], mark: u8, end: usize, integer: bool, code_like: bool) -> Option<Value> {
    let has_exponent = match cell.get(end) {
        None => false,
        Some(b'e' | b'E') => {
            let rest = &cell[end + 1..];
            let rest = rest.strip_prefix(b"-").or_else(|| rest.strip_prefix(b"+")).unwrap_or(rest);
            if rest.is_empty() || !rest.iter().all(u8::is_ascii_digit) {
                return None;
            }
            true
        }
        Some(_) => return None,
    };
    let text = std::str::from_utf8(cell).ok()?;
    let number: f64 =
        if mark == b'.' { text.parse().ok()? } else { text.replacen(mark as char, ".", 1).parse().ok()? };
    let integer = integer && !has_exponent;
    let huge = integer && number.abs() > EXACT as f64;
    let code_like = code_like && !has_exponent;
    Some(Value { number, integer, code_like, huge, other_mark: false, decorated: false })
}

/// Reads a cell (trimmed) in a column whose numbers are written in `style`.
pub(crate) fn read(cell: &[u8], style: NumberStyle) -> Reading {
    if let Some(value) = plain_with(cell, style.decimal) {
        return if value.number.is_infinite() { Reading::Infinite } else { Reading::Value(value) };
    }
    if is_infinity(cell) {
        return Reading::Infinite;
    }
    let Some(bare) = undecorated(cell) else { return Reading::Not };
    if (bare.percent && !style.percent) || (bare.currency && !style.currency) {
        return Reading::Not;
    }
    let Some(shape) = shape(bare.digits) else { return Reading::Not };
    let Some(reading) = shape.value(bare.digits, style) else { return Reading::Not };
    let number = if bare.negative { -reading.number } else { reading.number };
    let decorated = bare.percent || bare.currency || reading.decorated;
    let value = Value { number, decorated, ..reading };
    if value.number.is_infinite() { Reading::Infinite } else { Reading::Value(value) }
}

/// Whether the cell spells infinity.
pub(crate) fn is_infinity(cell: &[u8]) -> bool {
    let cell = match cell.first() {
        Some(b'-' | b'+') => &cell[1..],
        _ => cell,
    };
    ["inf", "infinity", "∞", "1.#inf"].iter().any(|word| cell.eq_ignore_ascii_case(word.as_bytes()))
}

/// A number without its sign and decoration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bare<'a> {
    /// Digits, marks and exponent.
    pub digits: &'a [u8],
    /// Whether there was a minus, or accountants' brackets.
    pub negative: bool,
    /// Whether there was a percent sign.
    pub percent: bool,
    /// Whether there was a currency sign.
    pub currency: bool,
}

const CURRENCIES: [&str; 22] = [
    "US$", "R$", "A$", "C$", "$", "€", "£", "¥", "₹", "₩", "₽", "₺", "₫", "₪", "USD", "EUR", "GBP", "CHF",
    "JPY", "INR", "CNY", "kr",
];

/// Takes sign, brackets, currency and percent off `cell`; `None` if what is left does not begin with a digit or mark.
pub(crate) fn undecorated(cell: &[u8]) -> Option<Bare<'_>> {
    let mut bare = Bare { digits: trimmed(cell), negative: false, percent: false, currency: false };
    match (bare.digits.first()?, bare.digits.last()?) {
        (b'0'..=b'9' | b'.' | b',', b'0'..=b'9' | b'.' | b',') => return Some(bare),
        // No sign, bracket or currency begins like this; a sample of words asks for a million of them.
        (
            b'B' | b'D' | b'F' | b'H' | b'K'..=b'Q' | b'S' | b'T' | b'V'..=b'Z' | b'a'..=b'j' | b'l'..=b'z',
            _,
        ) => {
            return None;
        }
        _ => {}
    }
    if let Some(inner) = bare.digits.strip_prefix(b"(").and_then(|rest| rest.strip_suffix(b")")) {
        bare.digits = trimmed(inner);
        bare.negative = true;
        // Brackets mean a negative number only in accounts; elsewhere they are words.
        bare.currency = true;
    }
    // Sign and currency come in either order: -$5, $-5, 5 €, 5%.
    for _ in 0..2 {
        if let Some(rest) =
            bare.digits.strip_prefix(b"-").or_else(|| bare.digits.strip_prefix("−".as_bytes()))
        {
            if bare.negative {
                return None;
            }
            bare.negative = true;
            bare.digits = rest;
        } else if let Some(rest) = bare.digits.strip_prefix(b"+") {
            bare.digits = rest;
        }
        for sign in CURRENCIES {
            let front = bare.digits.strip_prefix(sign.as_bytes());
            if let Some(rest) = front.or_else(|| bare.digits.strip_suffix(sign.as_bytes())) {
                bare.digits = trimmed(rest);
                bare.currency = true;
                break;
            }
        }
    }
    if let Some(rest) = bare.digits.strip_suffix(b"%") {
        bare.digits = trimmed(rest);
        bare.percent = true;
    }
    matches!(bare.digits.first(), Some(b'0'..=b'9' | b'.' | b',')).then_some(bare)
}

/// What the marks in a number can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marks {
    /// Digits only, or with an exponent.
    None,
    /// One point or comma that can only be decimal: `1.25`, `0,5`, `1,2345`.
    Decimal(u8),
    /// One point or comma before exactly three digits: decimal or thousands.
    Either(u8),
    /// Thousands separators only: `1,234,567`, `1 234`.
    Thousands(u8),
    /// Thousands, then a decimal mark: `1.234,5`.
    Both {
        /// The byte between groups.
        thousands: u8,
        /// The decimal mark.
        decimal: u8,
    },
}

/// The marks of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Their meaning.
    pub marks: Marks,
}

/// A mark between digits is one of these; white space of several bytes counts as a plain space.
fn separator(bytes: &[u8]) -> Option<(u8, usize)> {
    match bytes.first()? {
        mark @ (b'.' | b',' | b'\'' | b' ') => Some((*mark, 1)),
        _ => ["\u{a0}", "\u{202f}", "\u{2009}", "’"]
            .iter()
            .find(|space| bytes.starts_with(space.as_bytes()))
            .map(|space| (if *space == "’" { b'\'' } else { b' ' }, space.len())),
    }
}

/// Looks at the marks of `digits` (from [`undecorated`]); `None` if it is no number in any style.
pub(crate) fn shape(digits: &[u8]) -> Option<Shape> {
    // Each run of digits with the mark that ends it; more than 16 marks are no number.
    let mut marks = [(0u8, 0usize); 16];
    let (mut count, mut run, mut position) = (0, 0, 0);
    let mut first_run = None;
    while position < digits.len() {
        if digits[position].is_ascii_digit() {
            run += 1;
            position += 1;
        } else if let Some((mark, width)) = separator(&digits[position..]) {
            first_run.get_or_insert(run);
            if count > 0 {
                marks[count - 1].1 = run;
            }
            *marks.get_mut(count)? = (mark, 0);
            count += 1;
            run = 0;
            position += width;
        } else {
            break;
        }
    }
    if count > 0 {
        marks[count - 1].1 = run;
    }
    let exponent = &digits[position..];
    if !exponent.is_empty() && (!is_exponent(exponent) || count > 1) {
        return None;
    }
    let first_run = first_run.unwrap_or(run);
    classify(first_run, &marks[..count], digits.first() == Some(&b'0'), exponent.is_empty())
        .map(|marks| Shape { marks })
}

fn is_exponent(text: &[u8]) -> bool {
    let [b'e' | b'E', rest @ ..] = text else { return false };
    let rest = rest.strip_prefix(b"-").or_else(|| rest.strip_prefix(b"+")).unwrap_or(rest);
    !rest.is_empty() && rest.iter().all(u8::is_ascii_digit)
}

/// `marks` are pairs of a mark and the number of digits after it; `first_run` digits come before all of them.
fn classify(first_run: usize, marks: &[(u8, usize)], leading_zero: bool, bare: bool) -> Option<Marks> {
    let grouped = |marks: &[(u8, usize)]| {
        (1..=3).contains(&first_run)
            && !leading_zero
            && marks.iter().all(|(mark, run)| *mark == marks[0].0 && *run == 3)
    };
    match marks {
        [] => (first_run > 0).then_some(Marks::None),
        [(mark, run)] => {
            let point = matches!(mark, b'.' | b',');
            if point && !(bare && grouped(marks)) {
                (first_run + run > 0).then_some(Marks::Decimal(*mark))
            } else if point {
                Some(Marks::Either(*mark))
            } else {
                grouped(marks).then_some(Marks::Thousands(*mark))
            }
        }
        [groups @ .., (last, _)] => {
            let thousands = marks[0].0;
            if grouped(marks) {
                Some(Marks::Thousands(thousands))
            } else {
                (grouped(groups) && *last != thousands && matches!(last, b'.' | b','))
                    .then_some(Marks::Both { thousands, decimal: *last })
            }
        }
    }
}

impl Shape {
    /// The number, if its marks are allowed by `style` or can only be meant in one way.
    fn value(self, digits: &[u8], style: NumberStyle) -> Option<Value> {
        let (decimal, thousands) = match self.marks {
            Marks::None => (style.decimal, None),
            Marks::Decimal(mark) => (mark, None),
            Marks::Either(mark) if mark == style.decimal => (mark, None),
            Marks::Either(mark) => (style.decimal, Some(mark)),
            Marks::Thousands(mark) => (if mark == style.decimal { 0 } else { style.decimal }, Some(mark)),
            Marks::Both { thousands, decimal } => (decimal, Some(thousands)),
        };
        let other_mark = decimal != style.decimal;
        let mut clean = Vec::with_capacity(digits.len());
        let mut position = 0;
        while position < digits.len() {
            if let Some((mark, width)) = separator(&digits[position..]) {
                if Some(mark) != thousands {
                    clean.push(b'.');
                }
                position += width;
            } else {
                clean.push(digits[position]);
                position += 1;
            }
        }
        plain(&clean).map(|value| Value { other_mark, decorated: thousands.is_some(), ..value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(cell: &str, style: NumberStyle) -> Option<f64> {
        match read(cell.as_bytes(), style) {
            Reading::Value(value) => Some(value.number),
            _ => None,
        }
    }

    #[test]
    fn plain_numbers_equal_the_standard_library() {
        for text in [
            "0",
            "-0",
            "1",
            "-1",
            "007",
            "3.14",
            "-2.5e-3",
            "1e22",
            "9007199254740993",
            "0.1",
            "123456789012345678",
            "5e-324",
            "1.7976931348623157e308",
            "0.30000000000000004",
            "2.2250738585072011e-308",
            ".5",
            "5.",
            "+7",
            "1234567890123456789012",
            "0.000000000000000000001",
        ] {
            let expected: f64 = text.parse().unwrap();
            assert_eq!(plain(text.as_bytes()).unwrap().number.to_bits(), expected.to_bits(), "{text}");
        }
        for text in ["", "-", ".", "e5", "1e", "1e+", "0x10", "1_000", "12a", "--1", "1.2.3", "inf", "nan"] {
            assert_eq!(plain(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn long_decimals_equal_the_standard_library() {
        let mut state = 0x1234_5678_9abc_def1u64;
        for _ in 0..200_000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            // Numbers of every length, and numbers at and beside the middle between two doubles.
            let long = state >> (state % 11);
            let decimals = 1 + (state >> 40) as usize % SAFE_DIGITS;
            let digits = format!("{long:0width$}", width = decimals + 1);
            let (whole, rest) = digits.split_at(digits.len() - decimals);
            let fraction = ["5", "50", "500", "499", "501"][(state >> 20) as usize % 5];
            let middle = format!("{}.{fraction}", (1u64 << 52) + (state >> 12));
            for text in [format!("{whole}.{rest}"), middle] {
                let expected: f64 = text.parse().unwrap();
                assert_eq!(plain(text.as_bytes()).unwrap().number.to_bits(), expected.to_bits(), "{text}");
            }
        }
        // 9007199254740993 / 2 and / 8 lie exactly in the middle between two doubles: ties go to the even one.
        assert_eq!(divided(45_035_996_273_704_965, 1), 4_503_599_627_370_496.0);
        assert_eq!(divided(1_125_899_906_842_624_125, 3), 1_125_899_906_842_624.0);
        assert_eq!(
            divided(u64::MAX, 19).to_bits(),
            "1.8446744073709551615".parse::<f64>().unwrap().to_bits()
        );
        assert_eq!(divided(90_071_992_547_409_930, 1), 9_007_199_254_740_992.0);
        assert_eq!(divided(90_071_992_547_409_950, 1), 9_007_199_254_740_996.0);
    }

    #[test]
    fn short_numbers_equal_the_standard_library() {
        let mut state = 1u64;
        for _ in 0..400_000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let length = (state >> 60) as usize % 10;
            let text: Vec<u8> = (0..length)
                .map(|place| b"0123456789.-+e90"[(state >> (4 * place + 8)) as usize % 16])
                .collect();
            let text = std::str::from_utf8(&text).unwrap();
            let found = plain(text.as_bytes());
            // The standard library reads the same numbers.
            let expected: Option<f64> = text.parse().ok();
            assert_eq!(found.map(|value| value.number.to_bits()), expected.map(f64::to_bits), "{text}");
            if let Some(value) = found {
                assert_eq!(value.integer, !text.contains(['.', 'e']), "{text}");
                let digits = text.trim_start_matches(['-', '+']);
                let code_like = value.integer
                    && (digits.len() > 1 && digits.starts_with('0')
                        || text.starts_with('+') && digits.len() >= 7);
                assert_eq!(value.code_like, code_like, "{text}");
            }
        }
    }

    #[test]
    fn eight_digits_are_read_at_once() {
        let eight = |bytes: &[u8; 8]| eight_digits(u64::from_le_bytes(*bytes));
        assert_eq!(eight(b"12345678"), Some(12_345_678));
        assert_eq!(eight(b"00000000"), Some(0));
        assert_eq!(eight(b"99999999"), Some(99_999_999));
        for place in 0..8 {
            for odd in [b'/', b':', b'.', b' ', b'a', 0, 0x80, 0xb5, 0xff, 0xfa] {
                let mut bytes = *b"12345678";
                bytes[place] = odd;
                assert_eq!(eight(&bytes), None, "{bytes:?}");
            }
        }
    }

    #[test]
    fn notation_tells_integers_codes_and_huge_ones() {
        let of = |text: &str| plain(text.as_bytes()).unwrap();
        assert!(of("42").integer && !of("42.0").integer && !of("1e3").integer);
        assert!(
            of("01234").code_like
                && !of("0").code_like
                && !of("0.5").code_like
                && of("+491540483316").code_like
        );
        assert!(of("9999999999999999999999").huge && !of("9007199254740992").huge);
    }

    #[test]
    fn decorated_numbers_are_read_in_their_style() {
        let us = NumberStyle { decimal: b'.', thousands: Some(b','), percent: true, currency: true };
        assert_eq!(number("$452,600", us), Some(452_600.0));
        assert_eq!(number("1,234", us), Some(1234.0));
        assert_eq!(number("83.3%", us), Some(83.3));
        assert_eq!(number("($1,234.50)", us), Some(-1234.5));
        assert_eq!(number("-$5", us), Some(-5.0));
        let german = NumberStyle { decimal: b',', thousands: Some(b'.'), percent: false, currency: true };
        assert_eq!(number("1.234,5 €", german), Some(1234.5));
        assert_eq!(number("1.234", german), Some(1234.0));
        assert_eq!(number("0,946067007041207", NumberStyle::default()), Some(0.946067007041207));
        assert_eq!(number("1\u{202f}234\u{202f}567", german), Some(1_234_567.0));
        assert_eq!(number("12%", german), None);
        assert_eq!(number("18.00.00", us), None);
        assert_eq!(number("1,23,456", us), None);
    }

    #[test]
    fn infinities_and_overflow_are_told_apart_from_words() {
        for cell in ["inf", "-inf", "Infinity", "1e309", "-1e309"] {
            assert_eq!(read(cell.as_bytes(), NumberStyle::default()), Reading::Infinite, "{cell}");
        }
        assert_eq!(read(b"information", NumberStyle::default()), Reading::Not);
    }
}
