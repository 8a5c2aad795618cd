//! Where the elements of a tensor lie: axes are moved, split, joined, cut and
//! repeated without touching a number, until somebody has to compute with them.

/// Names one stretch of memory of a program.
pub(super) type ValueId = usize;

/// Elements at equal distances; a distance of zero repeats one element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) n: usize,
    pub(super) stride: usize,
}

/// A tensor as a way of reading a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub(super) value: ValueId,
    pub(super) offset: usize,
    /// Each axis as nested runs, the outermost first.
    axes: Vec<Vec<Run>>,
}

impl View {
    /// All of a value, the last axis side by side.
    pub(super) fn packed(value: ValueId, shape: &[usize]) -> Self {
        let order: Vec<usize> = (0..shape.len()).collect();
        Self::packed_in(value, shape, &order)
    }

    /// All of a value, axes nested in this order, the outermost first.
    pub(super) fn packed_in(value: ValueId, shape: &[usize], order: &[usize]) -> Self {
        let mut axes = vec![Vec::new(); shape.len()];
        let mut stride = 1;
        for axis in order.iter().rev() {
            axes[*axis] = simple(vec![Run { n: shape[*axis], stride }]);
            stride *= shape[*axis];
        }
        Self { value, offset: 0, axes }
    }

    pub(super) fn shape(&self) -> Vec<usize> {
        self.axes.iter().map(|axis| length(axis)).collect()
    }

    pub(super) fn rank(&self) -> usize {
        self.axes.len()
    }

    pub(super) fn len(&self) -> usize {
        self.axes.iter().map(|axis| length(axis)).product()
    }

    /// The nested runs of an axis.
    pub(super) fn runs(&self, axis: usize) -> &[Run] {
        &self.axes[axis]
    }

    /// An axis that is one run.
    pub(super) fn single(&self, axis: usize) -> Option<Run> {
        match self.axes[axis].as_slice() {
            [] => Some(Run { n: 1, stride: 0 }),
            [run] => Some(*run),
            _ => None,
        }
    }

    /// Every axis is one run, and no element is read twice.
    pub(super) fn is_plain(&self) -> bool {
        self.axes.iter().all(|axis| match axis.as_slice() {
            [] => true,
            [run] => run.stride > 0,
            _ => false,
        })
    }

    /// Axes from the farthest to the nearest elements; those of one element last.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rank()).collect();
        let farthest = |axis: &usize| {
            std::cmp::Reverse(self.axes[*axis].iter().map(|run| run.stride).max().unwrap_or(0))
        };
        order.sort_by_key(farthest);
        order
    }

    pub(super) fn with_axis(mut self, at: usize) -> Self {
        self.axes.insert(at, Vec::new());
        self
    }

    pub(super) fn without_axis(mut self, at: usize) -> Self {
        self.axes.remove(at);
        self
    }

    pub(super) fn with_moved_axis(mut self, from: usize, to: usize) -> Self {
        let axis = self.axes.remove(from);
        self.axes.insert(to, axis);
        self
    }

    /// Axes from `at` on, as many as `from` has, divided anew; nothing where the
    /// elements would have to move.
    pub(super) fn reshaped(&self, at: usize, from: usize, to: &[usize]) -> Option<Self> {
        let mut rest = simple(self.axes[at..at + from].concat());
        rest.reverse();
        let mut axes = Vec::with_capacity(to.len());
        for n in to {
            axes.push(simple(take(&mut rest, *n)?));
        }
        let mut view = self.clone();
        view.axes.splice(at..at + from, axes);
        Some(view)
    }

    /// A part of an axis; nothing where its elements are nested.
    pub(super) fn sliced(&self, axis: usize, start: usize, n: usize) -> Option<Self> {
        let run = self.single(axis)?;
        let mut view = self.clone();
        view.offset += start * run.stride;
        view.axes[axis] = simple(vec![Run { n, ..run }]);
        Some(view)
    }

    /// An axis several times over.
    pub(super) fn repeated(mut self, axis: usize, times: usize) -> Self {
        let mut runs = vec![Run { n: times, stride: 0 }];
        runs.append(&mut self.axes[axis]);
        self.axes[axis] = simple(runs);
        self
    }
}

/// Takes `n` elements' worth of runs from the end of a reversed list.
fn take(rest: &mut Vec<Run>, n: usize) -> Option<Vec<Run>> {
    let mut taken = Vec::new();
    let mut missing = n;
    while missing > 1 {
        let run = rest.pop()?;
        if missing.is_multiple_of(run.n) {
            missing /= run.n;
            taken.push(run);
        } else if run.n.is_multiple_of(missing) {
            let inner = run.n / missing;
            rest.push(Run { n: inner, stride: run.stride });
            taken.push(Run { n: missing, stride: run.stride * inner });
            missing = 1;
        } else {
            return None;
        }
    }
    Some(taken)
}

/// Without runs of one, and with runs joined that follow on one another.
fn simple(runs: Vec<Run>) -> Vec<Run> {
    let mut simple: Vec<Run> = Vec::with_capacity(runs.len());
    for run in runs.into_iter().filter(|run| run.n != 1) {
        match simple.last_mut() {
            Some(outer) if outer.stride == run.n * run.stride => {
                *outer = Run { n: outer.n * run.n, stride: run.stride };
            }
            _ => simple.push(run),
        }
    }
    simple
}

fn length(axis: &[Run]) -> usize {
    axis.iter().map(|run| run.n).product()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The numbers of all elements, the last axis fastest.
    fn elements(view: &View) -> Vec<usize> {
        let mut places = vec![view.offset];
        for run in view.axes.iter().flatten() {
            places = places
                .iter()
                .flat_map(|place| (0..run.n).map(move |i| place + i * run.stride))
                .collect();
        }
        places
    }

    #[test]
    fn a_repeated_axis_can_be_joined_without_moving_an_element() {
        let view = View::packed(0, &[3, 1]).repeated(1, 2).reshaped(0, 2, &[6]).unwrap();
        assert_eq!(elements(&view), [0, 0, 1, 1, 2, 2]);
        assert!(!view.is_plain());
    }

    #[test]
    fn pixels_are_dealt_to_blocks_and_come_back() {
        let view = View::packed(0, &[4, 6]);
        let blocks = view.reshaped(0, 2, &[2, 2, 3, 2]).unwrap().with_moved_axis(1, 3);
        assert_eq!(elements(&blocks)[..4], [0, 6, 1, 7]);
        let back = blocks.with_moved_axis(3, 1).reshaped(0, 4, &[4, 6]).unwrap();
        assert_eq!(back, view);
    }

    #[test]
    fn nested_elements_cannot_be_cut() {
        let view = View::packed(0, &[4, 3]).with_moved_axis(0, 1).reshaped(0, 2, &[12]).unwrap();
        assert!(view.sliced(0, 0, 5).is_none());
        assert_eq!(elements(&View::packed(0, &[4, 3]).sliced(1, 1, 2).unwrap())[..3], [1, 2, 4]);
    }

    proptest! {
        #[test]
        fn dividing_axes_anew_keeps_the_elements_in_order(
            shape in prop::collection::vec(1usize..5, 3),
            (from, to) in (0usize..3, 0usize..3),
        ) {
            let view = View::packed(0, &shape).with_moved_axis(from, to);
            let joined = view.reshaped(0, 3, &[view.len()]).unwrap();
            prop_assert_eq!(elements(&view), elements(&joined));
            prop_assert_eq!(joined.shape(), vec![view.len()]);
        }
    }
}
