//! Rectifiers as one operation of the other runtime's graph, which would make several
//! of them. It also computes them, where a network has to be run there.

use std::sync::Arc;

use tract_onnx::{model::ParsingContext, pb, prelude::*, tract_hir::internal::*};

/// Negative values times a slope: `Relu` has none (zero), `PRelu` one a channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Rectify {
    pub(super) slope: Option<Arc<Tensor>>,
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
