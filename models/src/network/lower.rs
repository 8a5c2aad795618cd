//! Turns the other runtime's graph into a [`Program`]: axes become views, pictures
//! come to lie with their channels side by side, and what no step knows is left to
//! that runtime, one operation at a time.

use std::{collections::HashMap, sync::Arc};

use tract_onnx::{
    prelude::*,
    tract_core::{
        internal::{AxisOp, DimLike, bail, format_err},
        model::TypedModel,
        ops::{
            array::{Pad, PadMode, Slice, StridedSlice, Tile, TypedConcat},
            binary::TypedBinOp,
            cast::Cast,
            cnn::{Conv, Deconv, KernelFormat, MaxPool, PoolSpec, SumPool},
            element_wise::ElementWiseOp,
            konst::Const,
            nn::{DataFormat, Reduce, Reducer, Softmax, SoftmaxKind},
            source::TypedSource,
        },
        plan::SimplePlan,
    },
};

use super::{
    fuse,
    kernels::{Curve, Dense, Depthwise, Pool, Unit},
    program::{Function, Loop, Map, Operand, Origin, Place, Program, Step, Value, copy},
    rectify::Rectify,
    view::{Run, ValueId, View},
};

/// The program of a graph whose shapes are all known.
pub(super) fn lower(model: &TypedModel) -> TractResult<Program> {
    let mut lowering = Lowering {
        model,
        unit: Unit::here(),
        values: Vec::new(),
        steps: Vec::new(),
        views: HashMap::new(),
    };
    for id in model.eval_order()? {
        lowering.node(&model.nodes[id])?;
    }
    let mut outputs = Vec::new();
    for outlet in model.output_outlets()? {
        let view = lowering.view(*outlet)?;
        outputs.push(lowering.gathered(view).value);
    }
    let Lowering { unit, values, steps, .. } = lowering;
    let steps = fuse::fuse(unit, &values, steps, &outputs);
    Ok(Program::new(values, steps, outputs))
}

struct Lowering<'m> {
    model: &'m TypedModel,
    unit: Unit,
    values: Vec<Value>,
    steps: Vec<Step>,
    views: HashMap<OutletId, View>,
}

impl Lowering<'_> {
    fn node(&mut self, node: &TypedNode) -> TractResult<()> {
        let view = if node.op_is::<Const>() {
            match self.constant(node)? {
                Some(view) => view,
                // Numbers of another type are asked for where they are needed.
                None => return Ok(()),
            }
        } else if node.op_is::<TypedSource>() {
            let shape = shape_of(&node.outputs[0].fact)?;
            View::packed(self.value(shape.iter().product(), Origin::Input), &shape)
        } else {
            match self.known(node)? {
                Some(view) => view,
                None => self.foreign(node)?,
            }
        };
        let shape = shape_of(&node.outputs[0].fact)?;
        if view.shape() != shape {
            bail!("{} came out as {:?} and not {shape:?}", node.name, view.shape());
        }
        self.views.insert(OutletId::new(node.id, 0), view);
        Ok(())
    }

    fn constant(&mut self, node: &TypedNode) -> TractResult<Option<View>> {
        let fact = &node.outputs[0].fact;
        let (Some(konst), Some(shape)) = (&fact.konst, fact.shape.as_concrete()) else {
            return Ok(None);
        };
        if konst.datum_type() != f32::datum_type() {
            return Ok(None);
        }
        let numbers = floats(konst)?.to_vec();
        Ok(Some(View::packed(self.value(numbers.len(), Origin::Constant(numbers)), shape)))
    }

    /// What becomes of an operation there are steps for.
    fn known(&mut self, node: &TypedNode) -> TractResult<Option<View>> {
        if let Some(op) = node.op_as::<AxisOp>() {
            return self.axes(node, op).map(Some);
        }
        if let Some(op) = node.op_as::<Conv>() {
            return self.convolution(node, op);
        }
        if let Some(op) = node.op_as::<Deconv>() {
            return self.deconvolution(node, op);
        }
        if node.op.name().contains("Resize") {
            return self.replication(node);
        }
        if let Some(op) = node.op_as::<Rectify>() {
            return self.rectify(node, op).map(Some);
        }
        if let Some(op) = node.op_as::<TypedBinOp>() {
            return self.binary(node, op);
        }
        if let Some(op) = node.op_as::<ElementWiseOp>() {
            return self.element_wise(node, op);
        }
        if let Some(op) = node.op_as::<Reduce>() {
            return self.reduce(node, op);
        }
        if let Some(op) = node.op_as::<Softmax>() {
            return self.softmax(node, op);
        }
        if let Some(op) = node.op_as::<Slice>() {
            let (start, end) = (op.start.to_usize()?, op.end.to_usize()?);
            let view = self.input(node, 0)?;
            return Ok(Some(self.sliced(view, op.axis, start, end - start)));
        }
        if let Some(op) = node.op_as::<StridedSlice>() {
            return self.strided_slice(node, op);
        }
        if let Some(op) = node.op_as::<TypedConcat>() {
            return self.concat(node, op.axis).map(Some);
        }
        if let Some(op) = node.op_as::<Pad>() {
            return self.pad(node, op);
        }
        if let Some(op) = node.op_as::<Tile>() {
            return self.tile(node, op).map(Some);
        }
        if let Some(op) = node.op_as::<MaxPool>() {
            let plain = op.with_index_outputs.is_none();
            return if plain { self.pool(node, &op.pool_spec, true) } else { Ok(None) };
        }
        if let Some(op) = node.op_as::<SumPool>() {
            let plain = op.normalize && !op.count_include_pad;
            return if plain { self.pool(node, &op.pool_spec, false) } else { Ok(None) };
        }
        if node.op_as::<Cast>().is_some_and(|op| op.to == f32::datum_type()) {
            // What was compared is zero or one here already.
            return self.input(node, 0).map(Some);
        }
        Ok(None)
    }

    fn axes(&mut self, node: &TypedNode, op: &AxisOp) -> TractResult<View> {
        let view = self.input(node, 0)?;
        Ok(match op {
            AxisOp::Add(at) => view.with_axis(*at),
            AxisOp::Rm(at) => view.without_axis(*at),
            AxisOp::Move(from, to) => view.with_moved_axis(*from, *to),
            AxisOp::Reshape(at, from, to) => {
                let to: Vec<usize> = to.iter().map(|n| n.to_usize()).collect::<Result<_, _>>()?;
                match view.reshaped(*at, from.len(), &to) {
                    Some(view) => view,
                    None => {
                        let gathered = self.gathered(view);
                        let divided = gathered.reshaped(*at, from.len(), &to);
                        divided.ok_or_else(|| format_err!("{} cannot be divided", node.name))?
                    }
                }
            }
        })
    }

    fn convolution(&mut self, node: &TypedNode, op: &Conv) -> TractResult<Option<View>> {
        let spec = &op.pool_spec;
        let (Some(weights), Some(bias)) =
            (self.constant_input(node, 1), self.constant_input(node, 2))
        else {
            return Ok(None);
        };
        let input = self.input(node, 0)?;
        let from = input.shape();
        let plain = spec.data_format == DataFormat::NCHW
            && op.kernel_fmt == KernelFormat::OIHW
            && op.q_params.is_none()
            && from.len() == 4;
        let depthwise = op.group > 1;
        let channels_out = spec.output_channels;
        if !plain || depthwise && (op.group != from[1] || op.group != channels_out) {
            return Ok(None);
        }
        let weights = floats(&weights)?;
        let n_padded = channels_out.next_multiple_of(self.unit.width());
        let bias = padded(floats(&bias)?, channels_out, n_padded);
        let padding = spec.computed_padding(&from[2..]);
        let pads = [0, 1].map(|axis| (padding[axis].pad_before, padding[axis].pad_after));
        let mut size_out = (padding[0].convoluted, padding[1].convoluted);
        let (picture, starts) = self.picture(input, pads);
        let run = |axis| picture.single(axis).expect("a picture's axes are single");
        let mut input_steps = (run(2).stride, run(3).stride);
        let pair = |of: &[usize]| (of[0], of[1]);
        let kernel = pair(&spec.kernel_shape);
        let stride = pair(&spec.strides());
        // A kernel of one pixel need not know where a row ends.
        let runs_on = run(2).n == 1 || input_steps.0 == run(3).n * input_steps.1;
        if kernel == (1, 1) && stride == (1, 1) && runs_on {
            size_out = (1, size_out.0 * size_out.1);
            input_steps.0 = 0;
        }
        let shape = shape_of(&node.outputs[0].fact)?;
        let order = [0, 2, 3, 1];
        let to = self.value(shape.iter().product(), Origin::Steps);
        let output_steps =
            (shape[2] * shape[3] * channels_out, size_out.1 * channels_out, channels_out);
        let (from_place, to_place) =
            (Place { value: picture.value, offset: 0 }, Place { value: to, offset: 0 });
        let (unit, dilation) = (self.unit, pair(&spec.dilations()));
        self.steps.push(if depthwise {
            let weights = Depthwise::pack(unit, weights, channels_out);
            let work = Depthwise {
                unit,
                channels: channels_out,
                kernel,
                stride,
                dilation,
                input_steps,
                starts,
                size_out,
                output_steps,
                weights,
                bias,
                slope: None,
                curve: None,
            };
            Step::Depthwise { work: Box::new(work), from: from_place, residual: None, to: to_place }
        } else {
            let n_taps = kernel.0 * kernel.1;
            let weights = Dense::pack(unit, weights, from[1], n_taps, channels_out);
            let work = Dense {
                unit,
                channels_in: from[1],
                channels_out,
                kernel,
                stride,
                dilation,
                input_steps,
                starts,
                size_out,
                output_steps,
                weights,
                bias,
                slope: None,
                curve: None,
            };
            Step::Dense { work: Box::new(work), from: from_place, residual: None, to: to_place }
        });
        Ok(Some(View::packed_in(to, &shape, &order)))
    }

    /// Where each pixel becomes a square of its own: all pixels of the square are channels
    /// of one, which then come to lie as the picture's pixels.
    fn deconvolution(&mut self, node: &TypedNode, op: &Deconv) -> TractResult<Option<View>> {
        let spec = &op.pool_spec;
        let (Some(weights), Some(bias)) =
            (self.constant_input(node, 1), self.constant_input(node, 2))
        else {
            return Ok(None);
        };
        let input = self.input(node, 0)?;
        let (from, shape) = (input.shape(), shape_of(&node.outputs[0].fact)?);
        let plain = spec.data_format == DataFormat::NCHW
            && op.kernel_format == KernelFormat::OIHW
            && op.group == 1
            && from.len() == 4
            && from[0] == 1
            && *spec.kernel_shape == *spec.strides()
            && spec.dilations().iter().all(|d| *d == 1)
            && shape[2..] == [from[2] * spec.kernel_shape[0], from[3] * spec.kernel_shape[1]];
        if !plain {
            return Ok(None);
        }
        let (rows, columns) = (spec.kernel_shape[0], spec.kernel_shape[1]);
        let (n_in, n_out, n_taps) = (from[1], shape[1], rows * columns);
        // Of (out, in, tap), as (tap and out, in).
        let weights = floats(&weights)?;
        let order = (0..n_taps).flat_map(|tap| (0..n_out).map(move |out| (tap, out)));
        let laid: Vec<f32> = order
            .flat_map(|(tap, out)| (0..n_in).map(move |c| (out * n_in + c) * n_taps + tap))
            .map(|at| weights[at])
            .collect();
        let channels_out = n_taps * n_out;
        let one = padded(floats(&bias)?, n_out, n_out);
        let mut bias: Vec<f32> = std::iter::repeat_n(one, n_taps).flatten().collect();
        bias.resize(channels_out.next_multiple_of(self.unit.width()), 0.0);
        let (picture, starts) = self.picture(input, [(0, 0); 2]);
        let run = |axis| picture.single(axis).expect("a picture's axes are single");
        let work = Dense {
            unit: self.unit,
            channels_in: n_in,
            channels_out,
            kernel: (1, 1),
            stride: (1, 1),
            dilation: (1, 1),
            input_steps: (run(2).stride, run(3).stride),
            starts,
            size_out: (from[2], from[3]),
            output_steps: (0, from[3] * channels_out, channels_out),
            weights: Dense::pack(self.unit, &laid, n_in, 1, channels_out),
            bias,
            slope: None,
            curve: None,
        };
        let to = self.value(shape.iter().product(), Origin::Steps);
        let from_place = Place { value: picture.value, offset: 0 };
        let to_place = Place { value: to, offset: 0 };
        let (work, residual) = (Box::new(work), None);
        self.steps.push(Step::Dense { work, from: from_place, residual, to: to_place });
        let squares = View::packed(to, &[1, from[2], from[3], rows, columns, n_out]);
        let view = squares.with_moved_axis(5, 1).with_moved_axis(4, 3);
        let view = view.reshaped(4, 2, &[shape[3]]).and_then(|v| v.reshaped(2, 2, &[shape[2]]));
        view.map(Some).ok_or_else(|| format_err!("{} cannot be joined", node.name))
    }

    /// A picture made larger by whole factors, each pixel several times. Which pixel a
    /// resizing takes is said in many ways: it is tried on a picture of different numbers.
    fn replication(&mut self, node: &TypedNode) -> TractResult<Option<View>> {
        let mut view = self.input(node, 0)?;
        let (from, to) = (view.shape(), shape_of(&node.outputs[0].fact)?);
        let whole = from.iter().zip(&to).all(|(from, to)| to % from == 0);
        if node.outputs.len() != 1 || !whole || from.iter().product::<usize>() > EXACT_MAX {
            return Ok(None);
        }
        let (work, inputs) = self.alone(node)?;
        if inputs.len() != 1 {
            return Ok(None);
        }
        let ramp: Vec<f32> = (0..from.iter().product()).map(|i: usize| i as f32).collect();
        let answer = work.run(tvec!(Tensor::from_shape(&from, &ramp)?.into_tvalue()))?;
        for (axis, (from, to)) in from.iter().zip(&to).enumerate() {
            if from != to {
                let repeated = view.with_axis(axis + 1).repeated(axis + 1, to / from);
                let joined = repeated.reshaped(axis, 2, &[*to]);
                view = joined.ok_or_else(|| format_err!("{} cannot be joined", node.name))?;
            }
        }
        let expected = View::packed(0, &from);
        let expected =
            from.iter().zip(&to).enumerate().try_fold(expected, |view, (axis, (a, b))| {
                view.with_axis(axis + 1).repeated(axis + 1, b / a).reshaped(axis, 2, &[*b])
            });
        let Some(expected) = expected else { return Ok(None) };
        let mut wanted = vec![0.0; to.iter().product()];
        copy(&ramp, &mut wanted, &loops(&expected, &View::packed(0, &to)));
        let answer = answer[0].to_plain_array_view::<f32>()?;
        let is_replication = answer.iter().zip(&wanted).all(|(a, b)| a == b);
        Ok(is_replication.then_some(view))
    }

    /// A picture as kernels want it: channels side by side, a border of zeros; and
    /// where each picture of the batch starts.
    fn picture(&mut self, view: View, pads: [(usize, usize); 2]) -> (View, Vec<usize>) {
        let shape = view.shape();
        let single = [1, 2, 3].iter().all(|axis| view.single(*axis).is_some());
        let beside = shape[1] == 1 || view.single(1).is_some_and(|run| run.stride == 1);
        let bare = pads.iter().all(|pad| *pad == (0, 0));
        let view = match single && beside && bare && view.is_plain() {
            true => view,
            false => self.bordered(&view, &[(0, 0), (0, 0), pads[0], pads[1]], &[0, 2, 3, 1], 0.0),
        };
        let mut starts = vec![view.offset];
        for run in view.runs(0) {
            let next = |start: usize| (0..run.n).map(move |i| start + i * run.stride);
            starts = starts.into_iter().flat_map(next).collect();
        }
        (view, starts)
    }

    /// A copy with a border, axes nested in this order.
    fn bordered(
        &mut self,
        view: &View,
        pads: &[(usize, usize)],
        order: &[usize],
        value: f32,
    ) -> View {
        let inner = view.shape();
        let shape: Vec<usize> = inner.iter().zip(pads).map(|(n, pad)| n + pad.0 + pad.1).collect();
        let to = self.value(shape.iter().product(), Origin::Steps);
        let outer = View::packed_in(to, &shape, order);
        if shape != inner {
            self.steps.push(Step::Fill { value, to });
        }
        let mut inside = outer.clone();
        for (axis, pad) in pads.iter().enumerate() {
            inside = inside.sliced(axis, pad.0, inner[axis]).expect("a packed axis is single");
        }
        self.copy(view, &inside);
        outer
    }

    fn copy(&mut self, from: &View, to: &View) {
        let loops = loops(from, to);
        let at = |view: &View| Place { value: view.value, offset: view.offset };
        self.steps.push(Step::Copy { from: at(from), to: at(to), loops });
    }

    /// The same tensor without gaps, its last axis side by side.
    fn gathered(&mut self, view: View) -> View {
        let order: Vec<usize> = (0..view.rank()).collect();
        let packed = View::packed(view.value, &view.shape());
        if view == packed && self.values[view.value].len == view.len() {
            return view;
        }
        self.laid(&view, &order)
    }

    /// The same tensor without gaps, axes nested in this order.
    fn laid(&mut self, view: &View, order: &[usize]) -> View {
        if let Origin::Constant(numbers) = &self.values[view.value].origin {
            let to = View::packed_in(self.values.len(), &view.shape(), order);
            let mut laid = vec![0.0; view.len()];
            copy(&numbers[view.offset..], &mut laid, &loops(view, &to));
            self.value(view.len(), Origin::Constant(laid));
            return to;
        }
        self.bordered(view, &vec![(0, 0); view.rank()], order, 0.0)
    }

    fn rectify(&mut self, node: &TypedNode, op: &Rectify) -> TractResult<View> {
        let input = self.input(node, 0)?;
        let mut shape = vec![1; input.rank()];
        let slope = match &op.slope {
            None => vec![0.0],
            Some(slope) => floats(slope)?.to_vec(),
        };
        if slope.len() > 1 {
            shape[1] = slope.len();
        }
        let slope = View::packed(self.value(slope.len(), Origin::Constant(slope)), &shape);
        let out = input.shape();
        Ok(self.map(Function::Rectify, &[input, slope], &out))
    }

    fn binary(&mut self, node: &TypedNode, op: &TypedBinOp) -> TractResult<Option<View>> {
        let of = match op.0.name() {
            "Add" => Function::Add,
            "Sub" => Function::Subtract,
            "Mul" => Function::Multiply,
            "Div" => Function::Divide,
            "Pow" => Function::Power,
            "Min" => Function::Least,
            "Max" => Function::Greatest,
            "Eq" => Function::Equal,
            _ => return Ok(None),
        };
        let out = shape_of(&node.outputs[0].fact)?;
        let inputs = [self.input(node, 0)?, self.input(node, 1)?];
        Ok(Some(self.map(of, &inputs, &out)))
    }

    fn element_wise(&mut self, node: &TypedNode, op: &ElementWiseOp) -> TractResult<Option<View>> {
        let of = match op.0.name().as_str() {
            "Tanh" => Function::Bend(Curve::Tanh),
            "Sigmoid" => Function::Bend(Curve::Sigmoid),
            "Exp" => Function::Bend(Curve::Exp),
            "Neg" => Function::Negate,
            "Sqrt" => Function::Root,
            "Recip" => Function::Reciprocal,
            "Sign" => Function::Sign,
            "Atan" => Function::ArcTangent,
            _ => return Ok(None),
        };
        let input = self.input(node, 0)?;
        let out = input.shape();
        Ok(Some(self.map(of, &[input], &out)))
    }

    /// A function of each element; axes of one element are repeated.
    fn map(&mut self, of: Function, inputs: &[View], out: &[usize]) -> View {
        let inputs: Vec<View> = inputs.iter().map(|view| self.plain(view)).collect();
        let is_constant =
            |view: &View| matches!(self.values[view.value].origin, Origin::Constant(_));
        let leader = inputs.iter().max_by_key(|view| (!is_constant(view), view.len()));
        let order = leader.expect("a function has an input").order();
        let n = out.iter().product();
        let to = View::packed_in(self.value(n, Origin::Steps), out, &order);
        let stride = |view: &View, axis: usize| match view.single(axis) {
            Some(run) if run.n > 1 => run.stride,
            _ => 0,
        };
        let mut nest: Vec<(usize, Vec<usize>)> = order
            .iter()
            .map(|axis| (out[*axis], inputs.iter().map(|view| stride(view, *axis)).collect()))
            .collect();
        nest = joined(nest);
        let operands = inputs.iter().enumerate().map(|(which, view)| Operand {
            place: Place { value: view.value, offset: view.offset },
            strides: nest.iter().map(|(_, strides)| strides[which]).collect(),
        });
        let operands = operands.collect();
        let loops = nest.iter().map(|(n, _)| *n).collect();
        self.steps.push(Step::Map(Map { of, loops, operands, to: to.value }));
        to
    }

    /// The same tensor with every axis a single run.
    fn plain(&mut self, view: &View) -> View {
        match view.is_plain() {
            true => view.clone(),
            false => self.laid(view, &view.order()),
        }
    }

    fn reduce(&mut self, node: &TypedNode, op: &Reduce) -> TractResult<Option<View>> {
        if op.reducer != Reducer::Sum {
            return Ok(None);
        }
        let input = self.input(node, 0)?;
        let input = self.plain(&input);
        let out = shape_of(&node.outputs[0].fact)?;
        let to = self.value(out.iter().product(), Origin::Steps);
        let order = input.order();
        let runs = |inside: bool| -> Vec<Run> {
            let axes = order.iter().filter(|axis| op.axes.contains(axis) == inside);
            let nest =
                axes.filter_map(|axis| input.single(*axis)).map(|run| (run.n, vec![run.stride]));
            let nest = joined(nest.collect());
            nest.iter().map(|(n, strides)| Run { n: *n, stride: strides[0] }).collect()
        };
        let from = Place { value: input.value, offset: input.offset };
        self.steps.push(Step::Sum { from, outer: runs(false), inner: runs(true), to });
        Ok(Some(View::packed_in(to, &out, &order)))
    }

    fn softmax(&mut self, node: &TypedNode, op: &Softmax) -> TractResult<Option<View>> {
        let input = self.input(node, 0)?;
        let shape = input.shape();
        let over_last = op.axes.as_slice() == [shape.len() - 1];
        if !over_last || op.quant_output_dt.is_some() || op.kind != SoftmaxKind::Softmax {
            return Ok(None);
        }
        let from = self.gathered(input).value;
        let to = self.value(shape.iter().product(), Origin::Steps);
        self.steps.push(Step::Softmax { from, n: shape[shape.len() - 1], to });
        Ok(Some(View::packed(to, &shape)))
    }

    fn sliced(&mut self, view: View, axis: usize, start: usize, n: usize) -> View {
        match view.sliced(axis, start, n) {
            Some(part) => part,
            None => {
                let laid = self.laid(&view, &view.order());
                laid.sliced(axis, start, n).expect("a packed axis is single")
            }
        }
    }

    fn strided_slice(&mut self, node: &TypedNode, op: &StridedSlice) -> TractResult<Option<View>> {
        let numbers = |input: usize| -> TractResult<Option<Vec<i64>>> {
            let Some(konst) = self.constant_input(node, input) else { return Ok(None) };
            let konst = konst.cast_to::<i64>()?;
            Ok(Some(konst.try_as_plain_ram()?.as_slice::<i64>()?.to_vec()))
        };
        let masked = (op.begin_mask, op.end_mask, op.shrink_axis_mask) != (0, 0, 0);
        let (Some(begin), Some(end)) = (numbers(1)?, numbers(2)?) else { return Ok(None) };
        let axes = match op.optional_axes_input {
            Some(input) => numbers(input)?,
            None => Some((0..begin.len() as i64).collect()),
        };
        let steps = match op.optional_steps_input {
            Some(input) => numbers(input)?,
            None => Some(vec![1; begin.len()]),
        };
        let (Some(axes), Some(steps)) = (axes, steps) else { return Ok(None) };
        if masked || steps.iter().any(|step| *step != 1) {
            return Ok(None);
        }
        let mut view = self.input(node, 0)?;
        for ((axis, begin), end) in axes.iter().zip(&begin).zip(&end) {
            let axis = if *axis < 0 { axis + view.rank() as i64 } else { *axis } as usize;
            let n = view.shape()[axis] as i64;
            let inside = |at: i64| if at < 0 { at + n } else { at }.clamp(0, n) as usize;
            let (begin, end) = (inside(*begin), inside(*end));
            if (begin, end) != (0, n as usize) {
                view = self.sliced(view, axis, begin, end.saturating_sub(begin));
            }
        }
        Ok(Some(view))
    }

    fn concat(&mut self, node: &TypedNode, axis: usize) -> TractResult<View> {
        let shape = shape_of(&node.outputs[0].fact)?;
        let inputs: Vec<View> =
            (0..node.inputs.len()).map(|i| self.input(node, i)).collect::<TractResult<_>>()?;
        let order = inputs.iter().max_by_key(|view| view.len()).map(View::order);
        let to = self.value(shape.iter().product(), Origin::Steps);
        let whole = View::packed_in(to, &shape, &order.unwrap_or_default());
        let mut start = 0;
        for input in inputs {
            let n = input.shape()[axis];
            let part = whole.sliced(axis, start, n).expect("a packed axis is single");
            self.copy(&input, &part);
            start += n;
        }
        Ok(whole)
    }

    fn pad(&mut self, node: &TypedNode, op: &Pad) -> TractResult<Option<View>> {
        let PadMode::Constant(value) = &op.mode else { return Ok(None) };
        let value = value.cast_to_scalar::<f32>()?;
        let view = self.input(node, 0)?;
        Ok(Some(self.bordered(&view, &op.pads, &view.order(), value)))
    }

    fn tile(&mut self, node: &TypedNode, op: &Tile) -> TractResult<View> {
        let mut view = self.input(node, 0)?;
        for (axis, times) in op.multipliers.iter().enumerate() {
            view = view.repeated(axis, times.to_usize()?);
        }
        Ok(view)
    }

    fn pool(
        &mut self,
        node: &TypedNode,
        spec: &PoolSpec,
        greatest: bool,
    ) -> TractResult<Option<View>> {
        let input = self.input(node, 0)?;
        let from = input.shape();
        let dilated = spec.dilations().iter().any(|d| *d != 1);
        if spec.data_format != DataFormat::NCHW || from.len() != 4 || from[0] != 1 || dilated {
            return Ok(None);
        }
        let padding = spec.computed_padding(&from[2..]);
        let (picture, starts) = self.picture(input, [(0, 0); 2]);
        let run = |axis| picture.single(axis).expect("a picture's axes are single");
        let shape = shape_of(&node.outputs[0].fact)?;
        let to = self.value(shape.iter().product(), Origin::Steps);
        let pair = |of: &[usize]| (of[0], of[1]);
        let work = Pool {
            greatest,
            channels: from[1],
            kernel: pair(&spec.kernel_shape),
            stride: pair(&spec.strides()),
            pad: (padding[0].pad_before, padding[1].pad_before),
            size_in: (from[2], from[3]),
            input_steps: (run(2).stride, run(3).stride),
            size_out: (shape[2], shape[3]),
            output_steps: (shape[3] * shape[1], shape[1]),
        };
        let from = Place { value: picture.value, offset: starts[0] };
        let to_place = Place { value: to, offset: 0 };
        self.steps.push(Step::Pool { work: Box::new(work), from, to: to_place });
        Ok(Some(View::packed_in(to, &shape, &[0, 2, 3, 1])))
    }

    /// Leaves one operation to the other runtime.
    fn foreign(&mut self, node: &TypedNode) -> TractResult<View> {
        if node.outputs.len() != 1 || node.outputs[0].fact.datum_type != f32::datum_type() {
            bail!("{} ({}) has outputs that no step can read", node.name, node.op.name());
        }
        let (work, inputs) = self.alone(node)?;
        let inputs = inputs
            .into_iter()
            .map(|view| (view.shape(), self.gathered(view).value))
            .map(|(shape, value)| (value, shape))
            .collect();
        let shape = shape_of(&node.outputs[0].fact)?;
        let to = self.value(shape.iter().product(), Origin::Steps);
        self.steps.push(Step::Foreign { work, inputs, to });
        Ok(View::packed(to, &shape))
    }

    /// One operation as a network of the other runtime, and what it has to be fed.
    fn alone(&self, node: &TypedNode) -> TractResult<(Arc<TypedRunnableModel>, Vec<View>)> {
        let mut alone = TypedModel::default();
        let (mut wires, mut inputs) = (tvec!(), Vec::new());
        for (index, outlet) in node.inputs.iter().enumerate() {
            let name = format!("{}.{index}", node.name);
            let fact = self.model.outlet_fact(*outlet)?;
            if let Some(konst) = &fact.konst {
                wires.push(alone.add_const(name, konst.clone())?);
                continue;
            }
            let view = self.view(*outlet)?;
            wires.push(alone.add_source(name, f32::fact(view.shape()))?);
            inputs.push(view);
        }
        let outputs = alone.wire_node(&node.name, node.op.clone(), &wires)?;
        alone.select_output_outlets(&outputs)?;
        Ok((SimplePlan::new(alone.into_optimized()?)?, inputs))
    }

    fn value(&mut self, len: usize, origin: Origin) -> ValueId {
        self.values.push(Value { len, origin });
        self.values.len() - 1
    }

    fn input(&self, node: &TypedNode, index: usize) -> TractResult<View> {
        self.view(node.inputs[index])
    }

    fn view(&self, outlet: OutletId) -> TractResult<View> {
        let view = self.views.get(&outlet).cloned();
        view.ok_or_else(|| format_err!("no step makes {outlet:?}"))
    }

    fn constant_input(&self, node: &TypedNode, index: usize) -> Option<Arc<Tensor>> {
        self.model.outlet_fact(*node.inputs.get(index)?).ok()?.konst.clone()
    }
}

fn shape_of(fact: &TypedFact) -> TractResult<Vec<usize>> {
    let shape = fact.shape.as_concrete().map(<[usize]>::to_vec);
    shape.ok_or_else(|| format_err!("a shape that is not known: {fact:?}"))
}

fn floats(tensor: &Tensor) -> TractResult<&[f32]> {
    tensor.try_as_plain_ram()?.as_slice::<f32>()
}

/// One number for each of `n`, from one for all or one each, and zeros up to `padded`.
fn padded(numbers: &[f32], n: usize, padded: usize) -> Vec<f32> {
    let of = |i: usize| if numbers.len() == 1 { numbers[0] } else { numbers[i] };
    (0..padded).map(|i| if i < n { of(i) } else { 0.0 }).collect()
}

/// The loops that copy one view to another, whose axes are single runs.
fn loops(from: &View, to: &View) -> Vec<Loop> {
    let mut nest = Vec::new();
    for axis in to.order() {
        let mut inside = to.runs(axis).iter().map(|run| run.n * run.stride).max().unwrap_or(0);
        for run in from.runs(axis) {
            inside /= run.n;
            nest.push((run.n, vec![run.stride, inside]));
        }
    }
    // The runs of an axis may lie farther apart on the other side than they did here.
    nest.sort_by_key(|(_, strides)| std::cmp::Reverse(strides[1]));
    let nest = joined(nest);
    nest.iter().map(|(n, strides)| Loop { n: *n, from: strides[0], to: strides[1] }).collect()
}

/// Nested loops, outermost first, without loops of one and with those joined that
/// follow on one another on all sides.
fn joined(nest: Vec<(usize, Vec<usize>)>) -> Vec<(usize, Vec<usize>)> {
    let mut joined: Vec<(usize, Vec<usize>)> = Vec::with_capacity(nest.len());
    for (n, strides) in nest.into_iter().filter(|(n, _)| *n != 1) {
        match joined.last_mut() {
            Some((outer, far)) if far.iter().zip(&strides).all(|(far, near)| *far == n * near) => {
                *outer *= n;
                *far = strides;
            }
            _ => joined.push((n, strides)),
        }
    }
    joined
}

/// Up to here each number is a float of its own.
const EXACT_MAX: usize = 1 << 24;
