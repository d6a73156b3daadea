//! Refined bounds of monotone constraints: each leaf is held by the leaves that it touches, not by a midpoint.
//!
//! Two leaves touch along a constrained feature if some row could pass from one to the other by a change of that feature
//! alone: their regions share codes on every other feature and lie one above the other on this one. A tree is monotone
//! exactly when every such pair has its values in order. The basic bound secures that by keeping the two sides of each
//! constrained split on their side of the middle for ever; here the pairs themselves are kept, so that a leaf may take
//! any value between the present values of its neighbours. The idea is that of LightGBM's "intermediate" method (Auguste,
//! Malory and Smirnov 2020, "A better method to enforce monotonic constraints in regression and classification trees"); we
//! recompute the bounds from the values of the present instead of only tightening them, and at last improve each leaf in
//! turn as far as its neighbours let it.
//!
//! Why it holds: the single leaf is monotone. A split gives both children values inside the parent's bounds, which lie
//! between all neighbours of the parent, and only neighbours of the parent can be neighbours of a child; the two children
//! are in order because the splitter refuses cuts that are not. Later a value only moves between its neighbours.

use std::cmp::Ordering;

use crate::splitter::Test;

/// Passes over all leaves at the end; each can only lower the loss, and most gain nothing after two.
const PASSES: usize = 4;

/// The missing code, which has no place in the order of a number.
const MISSING: u64 = 1;

/// The split that a region is cut by.
#[derive(Clone, Copy)]
pub(crate) struct Cut<'a> {
    pub(crate) feature: u32,
    pub(crate) test: &'a Test,
    pub(crate) bin_count: usize,
}

/// Codes that reach a node, for each feature asked on its path; all codes of the others.
#[derive(Clone, Debug, Default)]
struct Region {
    /// Ascending by feature.
    codes: Vec<(u32, [u64; 4])>,
}

impl Region {
    /// The part on one side of a cut.
    fn side(&self, cut: Cut<'_>, right: bool) -> Self {
        let mut part = self.clone();
        let place = part.codes.binary_search_by_key(&cut.feature, |(feature, _)| *feature);
        let place = place.unwrap_or_else(|place| {
            let mut all = [0; 4];
            for code in 0..cut.bin_count {
                all[code >> 6] |= 1 << (code & 63);
            }
            part.codes.insert(place, (cut.feature, all));
            place
        });
        let codes = &mut part.codes[place].1;
        for code in 0..cut.bin_count {
            if cut.test.goes_right(code as u8) != right {
                codes[code >> 6] &= !(1 << (code & 63));
            }
        }
        part
    }

    /// Whether the values here must be at most (`Less`) or at least (`Greater`) those of `other`; `None` if free.
    ///
    /// `signs` holds -1, 0 or 1 by feature.
    fn order(&self, other: &Self, signs: &[i8]) -> Option<Ordering> {
        let mut apart = None;
        let mut theirs = other.codes.iter().peekable();
        for (feature, ours) in &self.codes {
            while theirs.next_if(|(their, _)| their < feature).is_some() {}
            let Some((_, them)) = theirs.next_if(|(their, _)| their == feature) else { continue };
            if ours.iter().zip(them).any(|(a, b)| a & b != 0) {
                continue;
            }
            // Apart on two features: no change of one leads from here to there.
            if apart.is_some() {
                return None;
            }
            apart = Some((*feature, ours, them));
        }
        let (feature, ours, them) = apart?;
        let sign = signs.get(feature as usize).copied().filter(|sign| *sign != 0)?;
        let below = range(ours)?.1 < range(them)?.0;
        Some(if (sign > 0) == below { Ordering::Less } else { Ordering::Greater })
    }
}

/// The least and the largest code that is not missing.
fn range(codes: &[u64; 4]) -> Option<(usize, usize)> {
    let present = [codes[0] & !MISSING, codes[1], codes[2], codes[3]];
    let first = present.iter().position(|word| *word != 0)?;
    let last = present.iter().rposition(|word| *word != 0)?;
    let low = 64 * first + present[first].trailing_zeros() as usize;
    Some((low, 64 * last + 63 - present[last].leading_zeros() as usize))
}

/// One leaf of the tree so far.
#[derive(Clone, Debug, Default)]
struct Held {
    region: Region,
    /// The value that it would take if it were free.
    wish: f64,
    value: f64,
    /// Leaves whose values must be at most this one's, by node.
    below: Vec<u32>,
    /// Leaves whose values must be at least this one's.
    above: Vec<u32>,
}

/// The values of all leaves of a growing tree and who holds whom, by node.
#[derive(Debug)]
pub(crate) struct Neighbours<'a> {
    signs: &'a [i8],
    /// Inner nodes hold nothing.
    leaves: Vec<Held>,
}

impl<'a> Neighbours<'a> {
    /// A root whose free value is `wish`.
    pub(crate) fn new(signs: &'a [i8], wish: f64) -> Self {
        Self { signs, leaves: vec![Held { wish, value: wish, ..Held::default() }] }
    }

    /// The range in which the value of a leaf may lie; its present value does.
    pub(crate) fn bounds(&self, node: usize) -> (f64, f64) {
        let leaf = &self.leaves[node];
        let value = |other: &u32| self.leaves[*other as usize].value;
        (
            leaf.below.iter().map(value).fold(f64::NEG_INFINITY, f64::max),
            leaf.above.iter().map(value).fold(f64::INFINITY, f64::min),
        )
    }

    /// The value of a leaf.
    pub(crate) fn value(&self, node: usize) -> f64 {
        self.leaves[node].value
    }

    /// Replaces a leaf by its two children, which become the last two nodes, with their free values; returns the leaves
    /// whose bounds may have moved, ascending.
    pub(crate) fn split(&mut self, node: usize, cut: Cut<'_>, wishes: [f64; 2]) -> Vec<u32> {
        let bounds = self.bounds(node);
        let parent = std::mem::take(&mut self.leaves[node]);
        let first = self.leaves.len() as u32;
        let values = wishes.map(|wish| wish.clamp(bounds.0, bounds.1));
        for (side, (wish, value)) in wishes.into_iter().zip(values).enumerate() {
            let region = parent.region.side(cut, side == 1);
            self.leaves.push(Held { region, wish, value, ..Held::default() });
        }
        let mut touched: Vec<u32> = parent.below.iter().chain(&parent.above).copied().collect();
        touched.sort_unstable();
        touched.dedup();
        for other in &touched {
            let leaf = &mut self.leaves[*other as usize];
            leaf.below.retain(|held| *held as usize != node);
            leaf.above.retain(|held| *held as usize != node);
            for child in [first, first + 1] {
                self.connect(child, *other);
            }
        }
        self.connect(first, first + 1);
        let (left, right) = (first as usize, first as usize + 1);
        if !self.is_in_order(left) {
            // No cut that the splitter allows comes here; the parent's value would be right in any case.
            self.leaves[left].value = parent.value;
            self.leaves[right].value = parent.value;
        }
        self.improve(left);
        self.improve(right);
        touched
    }

    fn connect(&mut self, a: u32, b: u32) {
        let order = self.leaves[a as usize].region.order(&self.leaves[b as usize].region, self.signs);
        let (low, high) = match order {
            Some(Ordering::Less) => (a, b),
            Some(Ordering::Greater) => (b, a),
            _ => return,
        };
        self.leaves[low as usize].above.push(high);
        self.leaves[high as usize].below.push(low);
    }

    fn is_in_order(&self, node: usize) -> bool {
        let (low, high) = self.bounds(node);
        (low..=high).contains(&self.leaves[node].value)
    }

    /// Moves a leaf as close to its free value as its neighbours let it; whether it moved.
    fn improve(&mut self, node: usize) -> bool {
        let (low, high) = self.bounds(node);
        let leaf = &mut self.leaves[node];
        let before = leaf.value;
        leaf.value = leaf.wish.clamp(low, high);
        leaf.value != before
    }

    /// Improves the leaves in turn, which lowers the loss as far as moving one at a time can.
    pub(crate) fn settle(&mut self, nodes: &[usize]) {
        for _ in 0..PASSES {
            let mut moved = false;
            for node in nodes {
                moved |= self.improve(*node);
            }
            if !moved {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(feature: u32, test: &Test) -> Cut<'_> {
        Cut { feature, test, bin_count: 5 }
    }

    #[test]
    fn only_leaves_that_touch_along_the_feature_are_held() {
        // Feature 0 rises, feature 1 is free. Cut on 0 (codes 0..=2 | 3, 4), then both halves on 1 at the same place.
        let (zero, one) =
            (Test::Number { bin: 2, missing_right: false }, Test::Number { bin: 1, missing_right: false });
        let mut tree = Neighbours::new(&[1, 0], 0.0);
        tree.split(0, cut(0, &zero), [-1.0, 1.0]);
        assert_eq!((tree.bounds(1), tree.bounds(2)), ((f64::NEG_INFINITY, 1.0), (-1.0, f64::INFINITY)));
        // The left half falls apart into -3 and 0.5: its neighbour now is held by 0.5 at least.
        let moved = tree.split(1, cut(1, &one), [-3.0, 0.5]);
        assert_eq!(moved, [2]);
        assert_eq!(tree.bounds(2), (0.5, f64::INFINITY));
        // The right half too: where the left is -3, the right may go below 0.5, which the basic bound would not let it.
        tree.split(2, cut(1, &one), [-2.0, 9.0]);
        assert_eq!([3, 4, 5, 6].map(|node| tree.value(node)), [-3.0, 0.5, -2.0, 9.0]);
        assert_eq!(tree.bounds(5), (-3.0, f64::INFINITY));
        assert_eq!(tree.bounds(4), (f64::NEG_INFINITY, 9.0));
    }

    #[test]
    fn missing_codes_have_no_order_and_falling_is_the_mirror_of_rising() {
        let missing_alone = Test::Number { bin: 0, missing_right: false };
        let mut tree = Neighbours::new(&[1], 0.0);
        tree.split(0, cut(0, &missing_alone), [5.0, -5.0]);
        assert_eq!(tree.bounds(1), (f64::NEG_INFINITY, f64::INFINITY));
        let test = Test::Number { bin: 2, missing_right: true };
        for (sign, wishes) in [(1, [-1.0, 1.0]), (-1, [1.0, -1.0])] {
            let signs = [sign];
            let mut tree = Neighbours::new(&signs, 0.0);
            tree.split(0, cut(0, &test), wishes);
            assert_eq!([1, 2].map(|node| tree.value(node)), wishes);
            // The wrong way round both take the parent's value.
            let mut tree = Neighbours::new(&signs, 0.0);
            tree.split(0, cut(0, &test), [wishes[1], wishes[0]]);
            assert_eq!(tree.value(1), tree.value(2));
        }
    }
}
