//! Convolutions and rectifiers as operations of the runtime's graph: a convolution
//! with its bias and rectifier in one pass, in place of the runtime's own, which
//! spends most of its time moving pixels on networks as thin as these.

use std::sync::Arc;

use tract_onnx::{
    model::ParsingContext,
    pb,
    prelude::*,
    tract_core::ops::{
        cnn::{Conv, KernelFormat},
        nn::DataFormat,
    },
    tract_hir::internal::*,
};

use super::kernels::{self, Finish, Geometry};

/// A convolution, its bias, and what becomes of negative sums.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Fused {
    geometry: Geometry,
    depthwise: bool,
    shape: TVec<usize>,
    weights: Arc<Tensor>,
    bias: Arc<Tensor>,
    slope: Option<Arc<Tensor>>,
}

/// Negative values times a slope: `Relu` has none (zero), `PRelu` one a channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Rectify {
    slope: Option<Arc<Tensor>>,
}

/// The importer's side of [`Rectify`].
#[derive(Debug, Clone)]
struct ImportRectify;

/// Reads `Relu` and `PRelu` nodes as one operation each.
pub(super) fn register(onnx: &mut tract_onnx::Onnx) {
    let build = |_: &ParsingContext<'_>, _: &pb::NodeProto| Ok((expand(ImportRectify), Vec::new()));
    onnx.op_register.insert("Relu", build);
    onnx.op_register.insert("PRelu", build);
}

/// Puts [`Fused`] in the place of every convolution it can do.
pub(super) fn fuse(model: &mut TypedModel) -> TractResult<()> {
    for id in model.eval_order()? {
        let node = &model.nodes[id];
        let Some(mut fused) = Fused::of(model, node)? else {
            continue;
        };
        let mut last = node;
        if let Some(next) = model.single_succ(id)?
            && let Some(rectify) = next.op_as::<Rectify>()
            && let Some(slope) = rectify.per_channel(fused.geometry.channels_out)?
        {
            fused.slope = Some(slope);
            last = next;
        }
        let mut patch = TypedModelPatch::default();
        let inputs = patch.taps(model, &node.inputs[..1])?;
        let outputs = patch.wire_node(format!("{}.fused", node.name), fused, &inputs)?;
        patch.shunt_outside(model, last.id.into(), outputs[0])?;
        patch.apply(model)?;
    }
    Ok(())
}

impl Fused {
    fn of(model: &TypedModel, node: &TypedNode) -> TractResult<Option<Self>> {
        let Some(conv) = node.op_as::<Conv>() else {
            return Ok(None);
        };
        let input = model.outlet_fact(node.inputs[0])?;
        let output = &node.outputs[0].fact;
        let weights = model.outlet_fact(node.inputs[1])?.konst.clone();
        let bias = model.outlet_fact(node.inputs[2])?.konst.clone();
        let (Some(weights), Some(bias)) = (weights, bias) else {
            return Ok(None);
        };
        let (Some(from), Some(to)) = (input.shape.as_concrete(), output.shape.as_concrete()) else {
            return Ok(None);
        };
        let spec = &conv.pool_spec;
        let plain = spec.data_format == DataFormat::NCHW
            && conv.kernel_fmt == KernelFormat::OIHW
            && conv.q_params.is_none()
            && input.datum_type == f32::datum_type()
            && spec.dilations().iter().all(|d| *d == 1)
            && from.len() == 4
            && from[0] == 1;
        let strides = spec.strides();
        if !plain || strides.len() != 2 || strides[0] != strides[1] || strides[0] > 2 {
            return Ok(None);
        }
        let padding = spec.computed_padding(&from[2..]);
        let pad = (padding[0].pad_before, padding[1].pad_before);
        let depthwise = conv.group > 1;
        if depthwise && (conv.group != from[1] || conv.group != to[1]) {
            return Ok(None);
        }
        let geometry = Geometry {
            channels_in: from[1],
            channels_out: to[1],
            kernel: (spec.kernel_shape[0], spec.kernel_shape[1]),
            stride: strides[0],
            pad,
            size_in: (from[2], from[3]),
            size_out: (to[2], to[3]),
        };
        let weights = if depthwise {
            weights
        } else {
            let plain = weights.try_as_plain_ram()?.as_slice::<f32>()?;
            tensor1(&kernels::pack_dense(plain, &geometry)).into_arc_tensor()
        };
        let bias = spread(&bias, geometry.channels_out)?;
        let shape = to.iter().copied().collect();
        Ok(bias.map(|bias| Self { geometry, depthwise, shape, weights, bias, slope: None }))
    }
}

/// One value a channel, from one for all or one each.
fn spread(tensor: &Tensor, n: usize) -> TractResult<Option<Arc<Tensor>>> {
    let values = tensor.try_as_plain_ram()?.as_slice::<f32>()?;
    Ok(match values.len() {
        1 => Some(tensor1(&vec![values[0]; n]).into_arc_tensor()),
        len if len == n => Some(tensor1(values).into_arc_tensor()),
        _ => None,
    })
}

fn floats(tensor: &Tensor) -> TractResult<&[f32]> {
    tensor.try_as_plain_ram()?.as_slice::<f32>()
}

impl Op for Fused {
    fn name(&self) -> StaticName {
        "FusedConvolution".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Fused {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let mut output = Tensor::zero::<f32>(&self.shape)?;
        let slope = self.slope.as_deref().map(floats).transpose()?;
        let finish = Finish { bias: floats(&self.bias)?, slope };
        let kernel = if self.depthwise { kernels::depthwise } else { kernels::dense };
        let (weights, input) = (floats(&self.weights)?, floats(&inputs[0])?);
        let mut view = output.try_as_plain_ram_mut()?;
        kernel(&self.geometry, weights, finish, input, view.as_slice_mut::<f32>()?);
        Ok(tvec!(output.into_tvalue()))
    }
}

impl TypedOp for Fused {
    as_op!();

    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(&self.shape)))
    }
}

impl Rectify {
    fn per_channel(&self, n: usize) -> TractResult<Option<Arc<Tensor>>> {
        match &self.slope {
            None => Ok(Some(tensor1(&vec![0.0f32; n]).into_arc_tensor())),
            Some(slope) => spread(slope, n),
        }
    }
}

impl Op for Rectify {
    fn name(&self) -> StaticName {
        "Rectify".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Rectify {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let mut output = inputs[0].clone().into_tensor();
        let n = if output.rank() > 1 { output.shape()[1] } else { 1 };
        let slope = self.per_channel(n)?.ok_or_else(|| format_err!("a slope for each channel"))?;
        let each = output.len() / n.max(1);
        let mut view = output.try_as_plain_ram_mut()?;
        let channels = view.as_slice_mut::<f32>()?.chunks_exact_mut(each.max(1));
        for (channel, slope) in channels.zip(floats(&slope)?.iter().cycle()) {
            channel.iter_mut().filter(|v| **v < 0.0).for_each(|v| *v *= slope);
        }
        Ok(tvec!(output.into_tvalue()))
    }
}

impl TypedOp for Rectify {
    as_op!();

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(inputs[0].without_value()))
    }
}

impl Expansion for ImportRectify {
    fn name(&self) -> StaticName {
        "Rectify".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        solver.equals(&inputs[0].datum_type, &outputs[0].datum_type)?;
        solver.equals(&inputs[0].shape, &outputs[0].shape)?;
        Ok(())
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let slope = match inputs.get(1) {
            None => None,
            Some(slope) => {
                let konst = model.outlet_fact(*slope)?.konst.clone();
                Some(konst.ok_or_else(|| format_err!("a slope known beforehand"))?)
            }
        };
        model.wire_node(prefix, Rectify { slope }, &inputs[..1])
    }
}
