//! Dates and times as people write them: detection of the format from the values, and reading by it.
//!
//! Formats are written in the usual `%` letters. A column has one format; which of day and month comes first is
//! decided by the values, and said aloud when they leave it open.

use kaizen_table::column::days_from_civil;

/// One piece of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Year,
    ShortYear,
    Month,
    MonthName,
    Day,
    Weekday,
    Hour,
    HalfDayHour,
    Minute,
    Second,
    HalfDay,
    Zone,
    Byte(u8),
}

/// A format that moments are read by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MomentFormat {
    text: String,
    pieces: Vec<Piece>,
    /// Whether and how it begins with a date in digits.
    digits: Option<Digits>,
}

/// A date of ten bytes, such as 2024-02-29 or 29.02.2024: where its parts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Digits {
    year: usize,
    month: usize,
    day: usize,
    /// Position and value of the bytes between the parts.
    between: [(usize, u8); 2],
}

impl Digits {
    /// Bytes of the date, and pieces of the format that it takes.
    const BYTES: usize = 10;
    const PIECES: usize = 5;

    fn of(pieces: &[Piece]) -> Option<Self> {
        let [first, Piece::Byte(left), second, Piece::Byte(right), third, ..] = *pieces else { return None };
        let mut digits = Self { year: 0, month: 0, day: 0, between: [(0, left), (0, right)] };
        let mut position = 0;
        for (index, piece) in [first, second, third].into_iter().enumerate() {
            let (start, width) = match piece {
                Piece::Year => (&mut digits.year, 4),
                Piece::Month => (&mut digits.month, 2),
                Piece::Day => (&mut digits.day, 2),
                _ => return None,
            };
            *start = position;
            position += width;
            if let Some((place, _)) = digits.between.get_mut(index) {
                *place = position;
                position += 1;
            }
        }
        let all_there = first != second && second != third && third != first;
        (position == Self::BYTES && all_there).then_some(digits)
    }

    /// Reads the date; `None` if a digit is missing, for instance because it is written as 1/2/2024.
    #[inline]
    fn read(self, date: &[u8; Self::BYTES]) -> Option<Parts> {
        if self.between.iter().any(|&(position, byte)| date[position] != byte) {
            return None;
        }
        let mut odd = false;
        let mut digit = |position: usize| {
            let digit = date[position].wrapping_sub(b'0');
            odd |= digit > 9;
            u32::from(digit)
        };
        let mut pair = |position| digit(position) * 10 + digit(position + 1);
        let year = i64::from(pair(self.year) * 100 + pair(self.year + 2));
        let (month, day) = (pair(self.month), pair(self.day));
        (!odd).then_some(Parts { year, month, day, ..Parts::default() })
    }
}

/// What [`detect`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Detected {
    /// The format.
    pub format: MomentFormat,
    /// Whether day and month could be exchanged without any value objecting.
    pub ambiguous: bool,
}

/// Order of day and month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DayOrder {
    /// Day, then month.
    DayFirst,
    /// Month, then day.
    MonthFirst,
}

const DATES: [&str; 24] = [
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d-%m-%y",
    "%m-%d-%y",
    "%d.%m.%y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%d/%b/%Y",
    "%b %d, %Y",
    "%b %d %Y",
    "%a, %d %b %Y",
    "%Y%m%d",
    "%Y-%m",
    "%Y/%m",
    "%b %Y",
];

const TIMES: [&str; 12] = [
    "",
    "T%H:%M:%S",
    " %H:%M:%S",
    "T%H:%M:%S%z",
    " %H:%M:%S%z",
    " %H:%M:%S %z",
    "T%H:%M",
    " %H:%M",
    "T%H:%M%z",
    " %I:%M:%S %p",
    " %I:%M %p",
    " %H.%M",
];

const CLOCKS: [&str; 6] =
    ["%H:%M:%S", "%H:%M", "%H.%M.%S", "%I:%M:%S %p", "%I:%M %p", "%a %b %d %H:%M:%S %Y"];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Longest cell that is looked at as a moment, in bytes.
const LONGEST: usize = 48;

impl MomentFormat {
    /// Reads a format; unknown letters make it `None`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            pieces.push(if byte == b'%' {
                match bytes.next()? {
                    b'Y' => Piece::Year,
                    b'y' => Piece::ShortYear,
                    b'm' => Piece::Month,
                    b'b' => Piece::MonthName,
                    b'd' => Piece::Day,
                    b'a' => Piece::Weekday,
                    b'H' => Piece::Hour,
                    b'I' => Piece::HalfDayHour,
                    b'M' => Piece::Minute,
                    b'S' => Piece::Second,
                    b'p' => Piece::HalfDay,
                    b'z' => Piece::Zone,
                    _ => return None,
                }
            } else {
                Piece::Byte(byte)
            });
        }
        Some(Self { text: text.to_owned(), digits: Digits::of(&pieces), pieces })
    }

    /// The format as text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Seconds since 1970-01-01T00:00:00 UTC of a trimmed cell; without a zone the clock is taken for UTC, and
    /// without a date the day for 1970-01-01. `None` if the cell does not fit.
    pub(crate) fn read(&self, cell: &[u8]) -> Option<f64> {
        let (mut scanner, mut parts, mut pieces) =
            (Scanner { rest: cell }, Parts::default(), self.pieces.as_slice());
        // Most dates are written in full; they need no scanner.
        if let Some(digits) = self.digits
            && let Some((date, rest)) = cell.split_first_chunk()
            && let Some(read) = digits.read(date)
        {
            (scanner.rest, parts, pieces) = (rest, read, &pieces[Digits::PIECES..]);
        }
        for &piece in pieces {
            scanner.take(piece, &mut parts)?;
        }
        if scanner.rest.is_empty() { parts.seconds() } else { None }
    }

    /// Which of day and month is first, where both are written in digits.
    pub(crate) fn day_order(&self) -> Option<DayOrder> {
        let place = |wanted| self.pieces.iter().position(|piece| *piece == wanted);
        let (day, month) = (place(Piece::Day)?, place(Piece::Month)?);
        // A leading year settles the order by custom.
        if self.pieces.first() == Some(&Piece::Year) {
            return None;
        }
        Some(if day < month { DayOrder::DayFirst } else { DayOrder::MonthFirst })
    }
}

/// Finds the format that reads at least nine tenths of the cells, counted by their `counts`.
///
/// Among formats that read equally many, the first of the list wins; where that leaves day and month open, `hint`
/// (what other columns of the file do) decides, then custom: month first with slashes, day first with hyphens.
pub(crate) fn detect(cells: &[(&[u8], u64)], hint: Option<DayOrder>) -> Option<Detected> {
    const PROBES: usize = 3;
    if !cells.iter().take(PROBES).any(|(cell, _)| may_be_moment(cell)) {
        return None;
    }
    let total: u64 = cells.iter().map(|(_, count)| count).sum();
    let mut best: Vec<(u64, MomentFormat)> = Vec::new();
    for format in candidates() {
        if !cells.iter().take(PROBES).any(|(cell, _)| format.read(cell).is_some()) {
            continue;
        }
        let read: u64 =
            cells.iter().filter(|(cell, _)| format.read(cell).is_some()).map(|(_, count)| count).sum();
        if read as f64 >= 0.9 * total as f64 {
            best.push((read, format));
        }
    }
    let most = best.iter().map(|(read, _)| *read).max()?;
    let equal: Vec<MomentFormat> =
        best.into_iter().filter(|(read, _)| *read == most).map(|(_, format)| format).collect();
    let of_order = |order| equal.iter().find(|format| format.day_order() == Some(order));
    let (Some(day_first), Some(month_first)) = (of_order(DayOrder::DayFirst), of_order(DayOrder::MonthFirst))
    else {
        return equal.into_iter().next().map(|format| Detected { format, ambiguous: false });
    };
    let custom = if day_first.text.contains('/') { DayOrder::MonthFirst } else { DayOrder::DayFirst };
    let chosen = if hint.unwrap_or(custom) == DayOrder::DayFirst { day_first } else { month_first };
    Some(Detected { format: chosen.clone(), ambiguous: hint.is_none() })
}

fn candidates() -> impl Iterator<Item = MomentFormat> {
    DATES
        .iter()
        .flat_map(|date| TIMES.iter().map(move |time| format!("{date}{time}")))
        .chain(CLOCKS.iter().map(|clock| (*clock).to_owned()))
        .filter_map(|text| MomentFormat::parse(&text))
}

fn may_be_moment(cell: &[u8]) -> bool {
    (5..=LONGEST).contains(&cell.len())
        && cell.iter().any(u8::is_ascii_digit)
        && (cell.len() == 8 || cell.iter().any(|byte| matches!(byte, b'-' | b'/' | b'.' | b':' | b' ')))
}

/// What has been read of a moment so far.
#[derive(Debug)]
struct Parts {
    year: i64,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: f64,
    afternoon: Option<bool>,
    offset_seconds: i64,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            year: 1970,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0.0,
            afternoon: None,
            offset_seconds: 0,
        }
    }
}

impl Parts {
    fn seconds(&self) -> Option<f64> {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let last = match self.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        let hour = match self.afternoon {
            None => self.hour,
            Some(afternoon) if (1..=12).contains(&self.hour) => {
                self.hour % 12 + if afternoon { 12 } else { 0 }
            }
            Some(_) => return None,
        };
        // A second of 60 is a leap second.
        if !(1..=last).contains(&self.day) || hour > 23 || self.minute > 59 || self.second >= 61.0 {
            return None;
        }
        let days = days_from_civil(self.year, self.month, self.day);
        let whole = days * 86_400 + i64::from(hour * 3600 + self.minute * 60) - self.offset_seconds;
        Some(whole as f64 + self.second)
    }
}

struct Scanner<'a> {
    rest: &'a [u8],
}

impl Scanner<'_> {
    fn take(&mut self, piece: Piece, parts: &mut Parts) -> Option<()> {
        match piece {
            Piece::Year => parts.year = i64::from(self.digits(4, 4)?),
            Piece::ShortYear => {
                // POSIX strptime: 69 to 99 are the twentieth century, 00 to 68 the twenty-first.
                let year = i64::from(self.digits(2, 2)?);
                parts.year = if year >= 69 { 1900 + year } else { 2000 + year };
            }
            Piece::Month => parts.month = self.digits(1, 2)?,
            Piece::MonthName => parts.month = self.name(&MONTHS)? + 1,
            Piece::Day => parts.day = self.digits(1, 2)?,
            Piece::Weekday => {
                self.name(&WEEKDAYS)?;
            }
            Piece::Hour | Piece::HalfDayHour => parts.hour = self.digits(1, 2)?,
            Piece::Minute => parts.minute = self.digits(2, 2)?,
            Piece::Second => parts.second = self.second()?,
            Piece::HalfDay => parts.afternoon = Some(self.half_day()?),
            Piece::Zone => parts.offset_seconds = self.zone()?,
            Piece::Byte(byte) => self.rest = self.rest.strip_prefix(&[byte])?,
        }
        Some(())
    }

    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let count = self.rest.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        if count < least {
            return None;
        }
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        Some(digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
    }

    /// Two digits and any number of decimals, of which nanoseconds count.
    fn second(&mut self) -> Option<f64> {
        let whole = f64::from(self.digits(2, 2)?);
        let Some(rest) = self.rest.strip_prefix(b".").or_else(|| self.rest.strip_prefix(b",")) else {
            return Some(whole);
        };
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return None;
        }
        let (numerator, denominator) = rest[..count.min(9)]
            .iter()
            .fold((0.0, 1.0), |(top, bottom), digit| (top * 10.0 + f64::from(digit - b'0'), bottom * 10.0));
        self.rest = &rest[count..];
        Some(whole + numerator / denominator)
    }

    /// A name or at least its first three letters, without regard to case, and a point after a short form.
    fn name(&mut self, names: &[&str]) -> Option<u32> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let word = self.rest[..count].to_ascii_lowercase();
        if count < 3 {
            return None;
        }
        let index = names.iter().position(|name| name.as_bytes().starts_with(&word))?;
        self.rest = &self.rest[count..];
        self.rest = self.rest.strip_prefix(b".").unwrap_or(self.rest);
        Some(index as u32)
    }

    fn half_day(&mut self) -> Option<bool> {
        let afternoon = match self.rest.first()? {
            b'p' | b'P' => true,
            b'a' | b'A' => false,
            _ => return None,
        };
        let rest = self.rest[1..].strip_prefix(b".").unwrap_or(&self.rest[1..]);
        let rest = rest.strip_prefix(b"m").or_else(|| rest.strip_prefix(b"M"))?;
        self.rest = rest.strip_prefix(b".").unwrap_or(rest);
        Some(afternoon)
    }

    /// Seconds east of Greenwich: nothing at all, `Z`, `UTC`, `GMT`, `+01`, `+0100` or `+01:00`.
    fn zone(&mut self) -> Option<i64> {
        for word in ["Z", "z", "UTC", "GMT", " UTC", " GMT"] {
            if let Some(rest) = self.rest.strip_prefix(word.as_bytes()) {
                self.rest = rest;
                return Some(0);
            }
        }
        let sign = match self.rest.first() {
            None => return Some(0),
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(_) => return None,
        };
        self.rest = &self.rest[1..];
        let hours = i64::from(self.digits(2, 2)?);
        self.rest = self.rest.strip_prefix(b":").unwrap_or(self.rest);
        let minutes = if self.rest.is_empty() { 0 } else { i64::from(self.digits(2, 2)?) };
        (hours <= 18 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_table::column::time_text;

    fn found(cells: &[&str]) -> Option<(String, bool)> {
        let cells: Vec<(&[u8], u64)> = cells.iter().map(|cell| (cell.as_bytes(), 1)).collect();
        detect(&cells, None).map(|found| (found.format.text().to_owned(), found.ambiguous))
    }

    fn read(format: &str, cell: &str) -> Option<String> {
        MomentFormat::parse(format).unwrap().read(cell.as_bytes()).map(time_text)
    }

    #[test]
    fn values_tell_day_from_month() {
        assert_eq!(found(&["01/02/2020", "13/02/2020"]), Some(("%d/%m/%Y".to_owned(), false)));
        assert_eq!(found(&["01/02/2020", "02/13/2020"]), Some(("%m/%d/%Y".to_owned(), false)));
        assert_eq!(found(&["01/02/2020", "03/04/2020"]), Some(("%m/%d/%Y".to_owned(), true)));
        assert_eq!(found(&["2020-02-01"]), Some(("%Y-%m-%d".to_owned(), false)));
        let cells: [(&[u8], u64); 1] = [(b"01/02/2020", 1)];
        let hinted = detect(&cells, Some(DayOrder::DayFirst)).unwrap();
        assert_eq!((hinted.format.text(), hinted.ambiguous), ("%d/%m/%Y", false));
    }

    #[test]
    fn common_formats_are_found_and_read() {
        for (cell, format, text) in [
            ("2024-02-29T12:30:05.250Z", "%Y-%m-%dT%H:%M:%S%z", "2024-02-29T12:30:05"),
            ("2024-02-29 00:30:00+01:00", "%Y-%m-%d %H:%M:%S%z", "2024-02-28T23:30:00"),
            ("31.12.1999", "%d.%m.%Y", "1999-12-31"),
            ("1.2.1999", "%d.%m.%Y", "1999-02-01"),
            ("2024-2-29", "%Y-%m-%d", "2024-02-29"),
            ("12/31/1999 18:30", "%m/%d/%Y %H:%M", "1999-12-31T18:30:00"),
            ("Mar 5, 2021", "%b %d, %Y", "2021-03-05"),
            ("15-Sep-68", "%d-%b-%y", "2068-09-15"),
            ("3/25/21 1:05 PM", "%m/%d/%y %I:%M %p", "2021-03-25T13:05:00"),
            ("18.00.00", "%H.%M.%S", "1970-01-01T18:00:00"),
            ("12:15 AM", "%I:%M %p", "1970-01-01T00:15:00"),
            ("20240131", "%Y%m%d", "2024-01-31"),
        ] {
            assert_eq!(found(&[cell]).map(|(format, _)| format).as_deref(), Some(format), "{cell}");
            assert_eq!(read(format, cell).as_deref(), Some(text), "{cell}");
        }
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        assert_eq!(read("%Y-%m-%d", "2023-02-29"), None);
        assert_eq!(read("%Y-%m-%d", "2023-02-2x"), None);
        assert_eq!(read("%Y-%m-%d", "2023-02-281"), None);
        assert_eq!(read("%Y-%m-%d", "2023/02/28"), None);
        assert_eq!(read("%d.%m.%Y", "31.12.199"), None);
        assert_eq!(read("%d.%m.%Y", "1.12.19991"), None);
        assert_eq!(read("%Y-%m-%d", "2023-13-01"), None);
        assert_eq!(read("%H:%M:%S", "24:00:00"), None);
        assert_eq!(read("%I:%M %p", "13:00 PM"), None);
        assert_eq!(found(&["hello world", "one-two"]), None);
        assert_eq!(found(&["1-2", "10-20"]), None);
        assert_eq!(read("%m-%m-%Y", "02-03-2023").as_deref(), Some("2023-03-01"));
        assert!(MomentFormat::parse("%Q").is_none());
    }
}
