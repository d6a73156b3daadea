//! How far apart two names are, for hints at slips of the pen.

/// The least number of insertions, deletions, substitutions and swaps of neighbouring letters that turn `a` into `b`.
///
/// No letter is edited twice (optimal string alignment; Damerau 1964, with the recurrence of Wagner and Fischer 1974).
/// Cost: the product of the lengths.
///
/// ```
/// use kaizen_base::edit_distance;
/// let letters = |text: &str| text.chars().collect::<Vec<char>>();
/// assert_eq!(edit_distance(&letters("traget"), &letters("target")), 1);
/// assert_eq!(edit_distance(&letters("kitten"), &letters("sitting")), 3);
/// ```
pub fn edit_distance(a: &[char], b: &[char]) -> usize {
    let width = b.len() + 1;
    // Distances of the beginnings of `a` with one and two letters less, and of the present one, to those of `b`.
    let (mut before, mut last): (Vec<usize>, Vec<usize>) = (vec![0; width], (0..width).collect());
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1; width];
        for (j, y) in b.iter().enumerate() {
            let mut least = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == &b[j - 1] && y == &a[i - 1] {
                least = least.min(before[j - 1] + 1);
            }
            row[j + 1] = least;
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distance(a: &str, b: &str) -> usize {
        let letters = |text: &str| text.chars().collect::<Vec<char>>();
        assert_eq!(
            edit_distance(&letters(a), &letters(b)),
            edit_distance(&letters(b), &letters(a)),
            "{a} and {b}"
        );
        edit_distance(&letters(a), &letters(b))
    }

    #[test]
    fn a_swap_is_one_slip_and_no_letter_is_edited_twice() {
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("abc", "acb"), 1);
        assert_eq!(distance("speices", "species"), 1);
        assert_eq!(distance("ab", "ba"), 1);
        // Unrestricted, a swap and an insertion between its letters would be two.
        assert_eq!(distance("ca", "abc"), 3);
        assert_eq!(distance("größe", "grösse"), 2);
    }
}
