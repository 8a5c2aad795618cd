//! Finds the layer norms, curves, biases and sums that a graph spells out in single
//! steps, and does each in the pass that makes the numbers.

use super::{
    kernels::{Curve, Norm, Unit},
    program::{Function, Loop, Map, Operand, Origin, Place, Step, Value},
    view::{Run, ValueId},
};

/// The same program in fewer passes.
pub(super) fn fuse(
    unit: Unit,
    values: &[Value],
    steps: Vec<Step>,
    outputs: &[ValueId],
) -> Vec<Step> {
    let steps = steps.into_iter().map(Some).collect();
    let mut fusion = Fusion { unit, values, steps, outputs };
    fusion.each(Fusion::gelu);
    fusion.each(Fusion::hard_swish);
    fusion.each(Fusion::norm);
    fusion.drop_unread();
    while fusion.each(Fusion::line_after) {}
    while fusion.each(Fusion::finish) {}
    while fusion.each(Fusion::place_at_once) {}
    fusion.drop_unread();
    fusion.steps.into_iter().flatten().collect()
}

struct Fusion<'v> {
    unit: Unit,
    values: &'v [Value],
    /// Nothing where a step was taken out.
    steps: Vec<Option<Step>>,
    outputs: &'v [ValueId],
}

impl Fusion<'_> {
    /// Tries something at every step; whether anything came of it.
    fn each(&mut self, attempt: fn(&mut Self, usize) -> Option<()>) -> bool {
        (0..self.steps.len()).filter(|at| attempt(self, *at).is_some()).count() > 0
    }

    fn drop_unread(&mut self) {
        for at in (0..self.steps.len()).rev() {
            let Some(step) = &self.steps[at] else { continue };
            let id = step.writes().value;
            if !self.outputs.contains(&id) && self.readers(id).is_empty() {
                self.steps[at] = None;
            }
        }
    }

    fn readers(&self, id: ValueId) -> Vec<usize> {
        self.having(|step| step.reads().contains(&id))
    }

    fn writers(&self, id: ValueId) -> Vec<usize> {
        self.having(|step| step.writes().value == id)
    }

    fn having(&self, is: impl Fn(&Step) -> bool) -> Vec<usize> {
        let steps = self.steps.iter().enumerate();
        steps.filter_map(|(at, step)| step.as_ref().is_some_and(&is).then_some(at)).collect()
    }

    /// The only step that makes a value.
    fn maker(&self, id: ValueId) -> Option<&Step> {
        match self.writers(id).as_slice() {
            [at] => self.steps[*at].as_ref(),
            _ => None,
        }
    }

    fn map_at(&self, at: usize) -> Option<&Map> {
        match self.steps[at].as_ref()? {
            Step::Map(map) => Some(map),
            _ => None,
        }
    }

    fn map_making(&self, id: ValueId, of: Function) -> Option<&Map> {
        match self.maker(id)? {
            Step::Map(map) if map.of == of => Some(map),
            _ => None,
        }
    }

    /// The value that this operand reads from end to end, in the order of the output.
    fn whole(&self, map: &Map, operand: &Operand) -> Option<ValueId> {
        let n: usize = map.loops.iter().product();
        let mut stride = 1;
        let mut in_order = operand.place.offset == 0;
        for (n, own) in map.loops.iter().zip(&operand.strides).rev() {
            in_order &= *own == stride;
            stride *= n;
        }
        let id = operand.place.value;
        (in_order && self.values[id].len == n && self.constant(id).is_none()).then_some(id)
    }

    fn constant(&self, id: ValueId) -> Option<&[f32]> {
        match &self.values[id].origin {
            Origin::Constant(numbers) => Some(numbers),
            _ => None,
        }
    }

    /// The number that this operand is everywhere.
    fn number(&self, operand: &Operand) -> Option<f32> {
        let numbers = self.constant(operand.place.value)?;
        let same = operand.strides.iter().all(|stride| *stride == 0);
        same.then(|| numbers[operand.place.offset])
    }

    /// The numbers, one a channel, that this operand is for every pixel.
    fn per_channel(&self, map: &Map, operand: &Operand) -> Option<&[f32]> {
        let numbers = self.constant(operand.place.value)?;
        let (near, far) = operand.strides.split_last()?;
        let channels = *map.loops.last()?;
        let fits = *near == 1 && far.iter().all(|stride| *stride == 0);
        fits.then(|| &numbers[operand.place.offset..][..channels])
    }

    /// The value that this operand has one number a pixel of.
    fn per_pixel(&self, map: &Map, operand: &Operand) -> Option<ValueId> {
        let id = operand.place.value;
        let fits = operand.place.offset == 0
            && operand.strides == [1, 0]
            && self.values[id].len == map.loops[0];
        fits.then_some(id)
    }

    /// Of two operands, in whichever order, the whole one and the number.
    fn with_number(&self, map: &Map) -> Option<(ValueId, f32)> {
        let (a, b) = (map.operands.first()?, map.operands.get(1)?);
        match self.number(b) {
            Some(number) => Some((self.whole(map, a)?, number)),
            None => Some((self.whole(map, b)?, self.number(a)?)),
        }
    }

    /// `0.5 x * (1 + tanh(0.79788 (x + 0.044715 x^3)))`, ending at this step.
    fn gelu(&mut self, at: usize) -> Option<()> {
        let last = self.map_at(at).filter(|map| map.of == Function::Multiply)?;
        let both: Vec<ValueId> =
            last.operands.iter().map(|o| self.whole(last, o)).collect::<Option<_>>()?;
        let x = self.gelu_of(both[0], both[1]).or_else(|| self.gelu_of(both[1], both[0]))?;
        let (n, to) = (self.values[x].len, last.to);
        let place = Place { value: x, offset: 0 };
        self.steps[at] = Some(Step::Map(Map {
            of: Function::Bend(Curve::Gelu),
            loops: vec![n],
            operands: vec![Operand { place, strides: vec![1] }],
            to,
        }));
        Some(())
    }

    fn gelu_of(&self, half: ValueId, gate: ValueId) -> Option<ValueId> {
        let times = |id, of, number: f32| {
            let map = self.map_making(id, of)?;
            let (whole, found) = self.with_number(map)?;
            ((found - number).abs() <= 1e-4 * number).then_some(whole)
        };
        let x = times(half, Function::Multiply, 0.5)?;
        let tanh =
            self.map_making(times(gate, Function::Add, 1.0)?, Function::Bend(Curve::Tanh))?;
        let inside = self.whole(tanh, &tanh.operands[0])?;
        let sum =
            self.map_making(times(inside, Function::Multiply, 0.797_884_6)?, Function::Add)?;
        let (a, b) = (self.whole(sum, &sum.operands[0])?, self.whole(sum, &sum.operands[1])?);
        let cubic = if a == x { b } else { a };
        let cube = times(cubic, Function::Multiply, 0.044_715)?;
        let cubed = times(cube, Function::Power, 3.0)?;
        (cubed == x && (a == x || b == x)).then_some(x)
    }

    /// `x` times the part of `x + 3` between 0 and 6, over 6, ending at this step; the
    /// division comes last or before the product.
    fn hard_swish(&mut self, at: usize) -> Option<()> {
        let last = self.map_at(at)?;
        let sixth = |map: &Map| {
            let (whole, number) = self.with_number(map)?;
            let wanted = match map.of {
                Function::Divide => 6.0,
                Function::Multiply => 1.0 / 6.0,
                _ => return None,
            };
            ((number - wanted).abs() < 1e-6 * wanted).then_some(whole)
        };
        let (product, is_divided) = match sixth(last) {
            Some(product) => (self.map_making(product, Function::Multiply)?, true),
            None => (last, false),
        };
        let factors = product.operands.iter().map(|o| self.whole(product, o));
        let factors: Vec<ValueId> = factors.collect::<Option<_>>()?;
        let gate_of = |gate: ValueId| match is_divided {
            true => self.gate(gate),
            false => self.gate(sixth(self.maker_map(gate)?)?),
        };
        let (a, b) = (*factors.first()?, *factors.get(1)?);
        let x = match (gate_of(b), gate_of(a)) {
            (Some(x), _) if x == a => a,
            (_, Some(x)) if x == b => b,
            _ => return None,
        };
        let (n, to) = (self.values[x].len, last.to);
        let place = Place { value: x, offset: 0 };
        self.steps[at] = Some(Step::Map(Map {
            of: Function::Bend(Curve::HardSwish { scale: 1.0, shift: 0.0 }),
            loops: vec![n],
            operands: vec![Operand { place, strides: vec![1] }],
            to,
        }));
        Some(())
    }

    /// What the part of `x + 3` between 0 and 6 is taken of.
    fn gate(&self, id: ValueId) -> Option<ValueId> {
        let with = |id, of, number: f32| {
            let (whole, found) = self.with_number(self.map_making(id, of)?)?;
            (found == number).then_some(whole)
        };
        let (least, greatest) = (Function::Least, Function::Greatest);
        let inside = with(id, least, 6.0).and_then(|id| with(id, greatest, 0.0));
        let inside = inside.or_else(|| with(id, greatest, 0.0).and_then(|id| with(id, least, 6.0)));
        with(inside?, Function::Add, 3.0)
    }

    fn maker_map(&self, id: ValueId) -> Option<&Map> {
        match self.maker(id)? {
            Step::Map(map) => Some(map),
            _ => None,
        }
    }

    /// A number that all of a curve's values are multiplied with, or that is added to
    /// them, becomes a part of the curve.
    fn line_after(&mut self, at: usize) -> Option<()> {
        let map = self.map_at(at)?;
        let (from, number) = self.with_number(map)?;
        let (of, to) = (map.of, map.to);
        let alone = self.readers(from) == [at] && !self.outputs.contains(&from);
        let [maker] = self.writers(from)[..] else { return None };
        let Step::Map(bend) = self.steps[maker].as_ref()? else { return None };
        let Function::Bend(Curve::HardSwish { scale, shift }) = bend.of else { return None };
        let curve = match of {
            Function::Multiply => Curve::HardSwish { scale: scale * number, shift: shift * number },
            Function::Add => Curve::HardSwish { scale, shift: shift + number },
            _ => return None,
        };
        if !alone {
            return None;
        }
        let bent = Map { of: Function::Bend(curve), to, ..bend.clone() };
        self.steps[maker] = None;
        self.steps[at] = Some(Step::Map(bent));
        Some(())
    }

    /// `x g + (beta - mean g)` with `g = gamma / sqrt(variance + epsilon)`, ending at
    /// this step.
    fn norm(&mut self, at: usize) -> Option<()> {
        let last = self.map_at(at).filter(|map| map.of == Function::Add)?;
        let both: Vec<ValueId> =
            last.operands.iter().map(|o| self.whole(last, o)).collect::<Option<_>>()?;
        let to = last.to;
        let found = self.norm_of(both[0], both[1]).or_else(|| self.norm_of(both[1], both[0]))?;
        let (mut gamma, mut beta) = (found.gamma.to_vec(), found.beta.to_vec());
        let channels = gamma.len();
        let padded = channels.next_multiple_of(self.unit.width());
        gamma.resize(padded, 0.0);
        beta.resize(padded, 0.0);
        let work = Norm {
            unit: self.unit,
            n_pixels: self.values[found.x].len / channels,
            channels,
            epsilon: found.epsilon,
            gamma,
            beta,
            curve: None,
        };
        self.steps[at] = Some(Step::Norm { work: Box::new(work), from: found.x, to });
        Some(())
    }

    fn norm_of(&self, scaled: ValueId, shift: ValueId) -> Option<FoundNorm<'_>> {
        let scaled = self.map_making(scaled, Function::Multiply)?;
        let (x, factor) =
            (self.whole(scaled, &scaled.operands[0])?, self.whole(scaled, &scaled.operands[1])?);
        self.norm_with(x, factor, shift).or_else(|| self.norm_with(factor, x, shift))
    }

    fn norm_with(&self, x: ValueId, factor: ValueId, shift: ValueId) -> Option<FoundNorm<'_>> {
        let gain = self.map_making(factor, Function::Multiply)?;
        let (a, b) = (&gain.operands[0], &gain.operands[1]);
        let (root, gamma) = match self.per_channel(gain, b) {
            Some(gamma) => (self.per_pixel(gain, a)?, gamma),
            None => (self.per_pixel(gain, b)?, self.per_channel(gain, a)?),
        };
        let shift = self.map_making(shift, Function::Add)?;
        let (a, b) = (&shift.operands[0], &shift.operands[1]);
        let (moved, beta) = match self.per_channel(shift, b) {
            Some(beta) => (self.whole(shift, a)?, beta),
            None => (self.whole(shift, b)?, self.per_channel(shift, a)?),
        };
        let mean = self.mean_moved(moved, factor)?;
        let epsilon = self.root_of_variance(root, x, mean, gamma.len())?;
        (self.mean_of(mean, gamma.len())? == x).then_some(FoundNorm { x, gamma, beta, epsilon })
    }

    /// The mean in `-mean * factor`.
    fn mean_moved(&self, moved: ValueId, factor: ValueId) -> Option<ValueId> {
        let moved = self.map_making(moved, Function::Multiply)?;
        let (a, b) = (&moved.operands[0], &moved.operands[1]);
        let negative = match self.whole(moved, b) {
            Some(whole) if whole == factor => self.per_pixel(moved, a)?,
            _ => (self.whole(moved, a)? == factor).then(|| self.per_pixel(moved, b))??,
        };
        let negate = self.map_making(negative, Function::Negate)?;
        self.whole(negate, &negate.operands[0])
    }

    /// The epsilon in `1 / sqrt(mean((x - mean)^2) + epsilon)`.
    fn root_of_variance(
        &self,
        root: ValueId,
        x: ValueId,
        mean: ValueId,
        channels: usize,
    ) -> Option<f32> {
        let reciprocal = self.map_making(root, Function::Reciprocal)?;
        let root = self.whole(reciprocal, &reciprocal.operands[0])?;
        let root = self.map_making(root, Function::Root)?;
        let sum = self.map_making(self.whole(root, &root.operands[0])?, Function::Add)?;
        let (variance, epsilon) = self.with_number(sum)?;
        let square = self.map_making(self.mean_of(variance, channels)?, Function::Multiply)?;
        let off = self.whole(square, &square.operands[0])?;
        let same = self.whole(square, &square.operands[1])? == off;
        let off = self.map_making(off, Function::Subtract)?;
        let fits = self.whole(off, &off.operands[0])? == x
            && self.per_pixel(off, &off.operands[1])? == mean;
        (same && fits).then_some(epsilon)
    }

    /// What this is the mean of, over the channels of each pixel.
    fn mean_of(&self, mean: ValueId, channels: usize) -> Option<ValueId> {
        let (total, n) = self.with_number(self.map_making(mean, Function::Divide)?)?;
        let Step::Sum { from, outer, inner, .. } = self.maker(total)? else { return None };
        let n_pixels = self.values[total].len;
        let fits = n == channels as f32
            && from.offset == 0
            && *outer == [Run { n: n_pixels, stride: channels }]
            && *inner == [Run { n: channels, stride: 1 }]
            && self.values[from.value].len == n_pixels * channels;
        fits.then_some(from.value)
    }

    /// Does what happens to a value, if nobody else reads it, where it is made.
    fn finish(&mut self, at: usize) -> Option<()> {
        let map = self.map_at(at)?;
        let (which, from) = map.operands.iter().enumerate().find_map(|(which, o)| {
            Some((which, self.whole(map, o).filter(|id| self.ends(*id))?))
        })?;
        let [maker] = self.writers(from)[..] else { return None };
        let other = map.operands.get(1 - which);
        let more = match map.of {
            Function::Add => match other.and_then(|o| self.channels_of(map, o)) {
                Some(bias) => More::Bias(bias),
                None => More::Residual(self.whole(map, other?).filter(|id| *id != from)?),
            },
            Function::Multiply => More::Scale(self.number(other?)?),
            Function::Rectify if which == 0 => More::Slope(self.channels_of(map, other?)?),
            Function::Bend(curve) => More::Curve(curve),
            _ => return None,
        };
        let to = map.to;
        let mut step = self.steps[maker].take()?;
        if !more.goes_into(&mut step) {
            self.steps[maker] = Some(step);
            return None;
        }
        match &mut step {
            Step::Dense { to: place, .. } | Step::Depthwise { to: place, .. } => place.value = to,
            Step::Norm { to: place, .. } => *place = to,
            _ => unreachable!("`goes_into` takes no other step"),
        }
        self.steps[at] = Some(step);
        Some(())
    }

    /// Made from end to end by one step that can do more, and read by one step.
    fn ends(&self, id: ValueId) -> bool {
        let can_more = matches!(
            self.maker(id),
            Some(Step::Dense { .. } | Step::Depthwise { .. } | Step::Norm { .. })
        );
        can_more && self.readers(id).len() == 1 && !self.outputs.contains(&id)
    }

    /// One number a channel, whether it is the same or not.
    fn channels_of(&self, map: &Map, operand: &Operand) -> Option<Vec<f32>> {
        match self.number(operand) {
            Some(number) => Some(vec![number]),
            None => self.per_channel(map, operand).map(<[f32]>::to_vec),
        }
    }

    /// Makes a value where this copy would bring it.
    fn place_at_once(&mut self, at: usize) -> Option<()> {
        let Step::Copy { from, to, loops } = self.steps[at].as_ref()? else { return None };
        let (from, to, loops) = (*from, *to, loops.clone());
        let alone = from.offset == 0
            && self.readers(from.value) == [at]
            && !self.outputs.contains(&from.value);
        let [maker] = self.writers(from.value)[..] else { return None };
        // Whatever fills the border has to be done before.
        let writers = self.writers(to.value);
        let fills: Vec<usize> = writers
            .into_iter()
            .filter(|at| matches!(self.steps[*at], Some(Step::Fill { .. })))
            .collect();
        let reads = self.steps[maker].as_ref()?.reads();
        if !alone || fills.iter().any(|fill| *fill > at) || reads.contains(&to.value) {
            return None;
        }
        let n: usize = loops.iter().map(|each| each.n).product();
        let whole = self.values[from.value].len == n;
        if !whole || !redirect(self.steps[maker].as_mut()?, to, &loops) {
            return None;
        }
        self.steps[at] = None;
        if let Some(fill) = fills.first().copied().filter(|fill| *fill > maker) {
            // The border first, then what stands in it.
            let step = self.steps[fill].take();
            self.steps.insert(maker, step);
        }
        Some(())
    }
}

/// What is to be written elsewhere: rows, pixels and channels of one picture.
fn redirect(step: &mut Step, place: Place, loops: &[Loop]) -> bool {
    let (size, channels) = match step {
        Step::Dense { work, .. } if work.starts.len() == 1 => (work.size_out, work.channels_out),
        Step::Depthwise { work, .. } if work.starts.len() == 1 => (work.size_out, work.channels),
        Step::Pool { work, .. } => (work.size_out, work.channels),
        _ => return false,
    };
    if matches!(
        step,
        Step::Dense { residual: Some(_), .. } | Step::Depthwise { residual: Some(_), .. }
    ) {
        return false;
    }
    let n_pixels = size.0 * size.1;
    // The copy's loops as (rows, row) and (pixels, pixel) distances.
    let (size, steps) = match *loops {
        [all] if (all.from, all.to) == (1, 1) && all.n == n_pixels * channels => {
            (size, (size.1 * channels, channels))
        }
        [pixels, near]
            if (near.from, near.to, near.n) == (1, 1, channels) && pixels.n == n_pixels =>
        {
            (size, (size.1 * pixels.to, pixels.to))
        }
        [rows, near]
            if (near.from, near.to) == (1, 1)
                && near.n * rows.n == n_pixels * channels
                && near.n.is_multiple_of(channels) =>
        {
            ((rows.n, near.n / channels), (rows.to, channels))
        }
        [rows, pixels, near]
            if (near.from, near.to, near.n) == (1, 1, channels)
                && rows.n * pixels.n == n_pixels =>
        {
            ((rows.n, pixels.n), (rows.to, pixels.to))
        }
        _ => return false,
    };
    match step {
        Step::Dense { work, to, .. } => {
            if size != work.size_out {
                // One long row is cut into rows again.
                if work.size_out.0 != 1 || work.kernel != (1, 1) || work.stride != (1, 1) {
                    return false;
                }
                work.input_steps.0 = size.1 * work.input_steps.1;
                work.size_out = size;
            }
            work.output_steps = (0, steps.0, steps.1);
            *to = place;
        }
        Step::Depthwise { work, to, .. } if size == work.size_out => {
            work.output_steps = (0, steps.0, steps.1);
            *to = place;
        }
        Step::Pool { work, to, .. } if size == work.size_out => {
            work.output_steps = steps;
            *to = place;
        }
        _ => return false,
    }
    true
}

/// The pieces of a layer norm.
struct FoundNorm<'v> {
    x: ValueId,
    gamma: &'v [f32],
    beta: &'v [f32],
    epsilon: f32,
}

/// What is to happen to a value at last.
enum More {
    Bias(Vec<f32>),
    Scale(f32),
    Residual(ValueId),
    Slope(Vec<f32>),
    Curve(Curve),
}

impl More {
    /// Whether the step can do this after what it does already.
    fn goes_into(self, step: &mut Step) -> bool {
        let (bias, slope, curve, residual, channels, weights) = match step {
            Step::Dense { work, residual, .. } => {
                let (channels, weights) = (work.channels_out, &mut work.weights);
                (&mut work.bias, &mut work.slope, &mut work.curve, residual, channels, weights)
            }
            Step::Depthwise { work, residual, .. } => {
                let (channels, weights) = (work.channels, &mut work.weights);
                (&mut work.bias, &mut work.slope, &mut work.curve, residual, channels, weights)
            }
            Step::Norm { work, .. } => {
                let Self::Curve(more) = self else { return false };
                let free = work.curve.is_none();
                work.curve.get_or_insert(more);
                return free;
            }
            _ => return false,
        };
        if curve.is_some() || slope.is_some() {
            return false;
        }
        let n = bias.len();
        let spread = |numbers: Vec<f32>| -> Option<Vec<f32>> {
            let of = |i: usize| if numbers.len() == 1 { numbers[0] } else { numbers[i] };
            let fits = numbers.len() == 1 || numbers.len() == channels;
            fits.then(|| (0..n).map(|i| if i < channels { of(i) } else { 0.0 }).collect())
        };
        match self {
            Self::Bias(more) if residual.is_none() => {
                let Some(more) = spread(more) else { return false };
                bias.iter_mut().zip(more).for_each(|(bias, more)| *bias += more);
            }
            Self::Scale(number) if residual.is_none() => {
                bias.iter_mut().chain(weights).for_each(|value| *value *= number);
            }
            Self::Residual(id) if residual.is_none() => *residual = Some(id),
            Self::Slope(numbers) => {
                let Some(numbers) = spread(numbers) else { return false };
                *slope = Some(numbers);
            }
            Self::Curve(more) => *curve = Some(more),
            _ => return false,
        }
        true
    }
}
