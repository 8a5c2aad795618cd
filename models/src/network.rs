//! One network: verified weights, a fixed input shape, optimised once, run often.
//! Repairs the graphs that the runtime cannot optimise as they were exported.

mod fuse;
mod kernels;
mod lower;
mod program;
mod rectify;
mod view;

use std::{path::Path, sync::Arc};

use tract_onnx::{
    prelude::*,
    tract_core::{
        internal::DimLike,
        model::{TypedModel, TypedModelPatch},
        ops::array::{Tile, TypedConcat},
        plan::SimplePlan,
    },
};

use crate::{
    Manifest, ModelError, ModelId,
    manifest::{Model, Pixels},
};
use program::Program;

/// A loaded network; cheap to share between threads.
pub(crate) struct Network {
    engine: Engine,
    shape: Vec<usize>,
    pixels: Pixels,
    id: ModelId,
}

impl Network {
    /// Loads the model of this name at the shape the manifest gives.
    pub(crate) fn load(dir: &Path, manifest: &Manifest, id: &str) -> Result<Self, ModelError> {
        let model = manifest.model(id)?;
        Self::load_shaped(dir, model, &model.shape)
    }

    /// Loads a model for another input shape than the manifest's.
    pub(crate) fn load_shaped(
        dir: &Path,
        model: &Model,
        shape: &[usize],
    ) -> Result<Self, ModelError> {
        let bytes = model.read_bytes(dir)?;
        let engine = build(&bytes, shape).map_err(|e| fault(&model.id, &e))?;
        let id = model.model_id();
        tracing::debug!(model = %id, "loaded");
        Ok(Self { engine, shape: shape.to_vec(), pixels: model.pixels.clone(), id })
    }

    /// Which weights these are.
    pub(crate) fn id(&self) -> &ModelId {
        &self.id
    }

    /// How this network wants its pixels.
    pub(crate) fn pixels(&self) -> &Pixels {
        &self.pixels
    }

    /// Width and height of the picture it is fed (for NCHW networks).
    pub(crate) fn picture_size(&self) -> (usize, usize) {
        (self.shape[3], self.shape[2])
    }

    /// Runs `n` times on noise; milliseconds of each run. (A constant picture would
    /// drive some networks into denormal numbers, which no real picture does.)
    pub(crate) fn time(&self, n: usize) -> Result<Vec<f32>, ModelError> {
        let n_values = self.shape.iter().product::<usize>() as u32;
        let input: Vec<f32> = (0..n_values).map(noise).collect();
        let mut millis = Vec::with_capacity(n);
        for _ in 0..n {
            let started = std::time::Instant::now();
            self.run(&input)?;
            millis.push(started.elapsed().as_secs_f32() * 1e3);
        }
        Ok(millis)
    }

    /// Runs once; each output flattened, in the graph's order.
    pub(crate) fn run(&self, input: &[f32]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.run_inner(input).map_err(|e| fault(&self.id.name, &e))
    }

    fn run_inner(&self, input: &[f32]) -> TractResult<Vec<Vec<f32>>> {
        let plan = match &self.engine {
            Engine::Ours(program) => return program.run(input),
            Engine::Other(plan) => plan,
        };
        let input = Tensor::from_shape(&self.shape, input)?;
        let outputs = plan.run(tvec!(input.into_tvalue()))?;
        outputs
            .iter()
            .map(|output| Ok(output.to_plain_array_view::<f32>()?.iter().copied().collect()))
            .collect()
    }
}

/// What runs a network.
enum Engine {
    /// Our own steps.
    Ours(Program),
    /// The other runtime, for graphs that cannot be put into our steps.
    Other(Arc<TypedRunnableModel>),
}

fn build(bytes: &[u8], shape: &[usize]) -> TractResult<Engine> {
    let mut onnx = tract_onnx::onnx().with_ignore_output_shapes(true);
    rectify::register(&mut onnx);
    let mut model = onnx
        .model_for_read(&mut std::io::Cursor::new(bytes))?
        .with_input_fact(0, f32::fact(shape).into())?
        .into_typed()?;
    // Biases come through casts; a convolution is ours only where all is known.
    model.prop_consts()?;
    match lower::lower(&model) {
        Ok(program) if !is_left_to_tract() => return Ok(Engine::Ours(program)),
        Ok(_) => {}
        Err(error) => tracing::info!(%error, "the other runtime runs this network"),
    }
    replace_tiles(&mut model)?;
    Ok(Engine::Other(SimplePlan::new(model.into_optimized()?)?))
}

/// Our steps are measured against the other runtime's by the same test in both.
fn is_left_to_tract() -> bool {
    cfg!(test) && std::env::var_os("COUNT_TRACT").is_some()
}

/// The runtime's declutter pulls a 1x1 convolution through the nearest-neighbour
/// upsampling of LEADER (unsqueeze, tile, reshape) and fails; a concat of the same
/// wire says the same and is left alone.
fn replace_tiles(model: &mut TypedModel) -> TractResult<()> {
    let tiles: Vec<_> = model
        .nodes
        .iter()
        .filter_map(|node| Some((node.id, single_axis(node.op_as::<Tile>()?)?)))
        .collect();
    for (id, (axis, times)) in tiles {
        let node = &model.nodes[id];
        let inputs = vec![node.inputs[0]; times];
        let patch = TypedModelPatch::replace_single_op(model, node, &inputs, TypedConcat { axis })?;
        patch.apply(model)?;
    }
    Ok(())
}

fn single_axis(tile: &Tile) -> Option<(usize, usize)> {
    let times: Vec<usize> =
        tile.multipliers.iter().map(|m| m.to_usize().ok()).collect::<Option<_>>()?;
    let mut repeated = times.iter().enumerate().filter(|(_, n)| **n > 1);
    let (axis, n) = repeated.next()?;
    repeated.next().is_none().then_some((axis, *n))
}

/// A number in 0..1 that looks like chance.
fn noise(index: u32) -> f32 {
    let mixed = (index ^ (index >> 15)).wrapping_mul(0x2c1b_3c6d);
    (mixed.wrapping_mul(0x297a_2d39) >> 8) as f32 / 16_777_216.0
}

fn fault(id: &str, error: &TractError) -> ModelError {
    ModelError::Network { id: id.to_owned(), reason: format!("{error:#}") }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::manifest::default_dir;

    /// What onnxruntime 1.31.1 answered, single thread, to inputs made by rule.
    #[derive(Deserialize)]
    struct Golden {
        model: String,
        scale: f32,
        offset: f32,
        outputs: Vec<Sampled>,
    }

    /// Every `step`-th value of an output of `n` values.
    #[derive(Deserialize)]
    struct Sampled {
        n: usize,
        step: usize,
        values: Vec<f32>,
        sum: f64,
    }

    #[test]
    fn every_face_network_answers_as_the_reference_runtime() {
        let manifest = Manifest::built_in().unwrap();
        let golden: Vec<Golden> =
            serde_json::from_str(include_str!("../tests/golden/face.json")).unwrap();
        for golden in golden {
            let network = match Network::load(&default_dir(), &manifest, &golden.model) {
                Err(ModelError::Missing { id, .. }) => {
                    eprintln!("skipped: {id} is not there, run `models fetch`");
                    continue;
                }
                loaded => loaded.unwrap(),
            };
            assert!(matches!(network.engine, Engine::Ours(_)), "{}", golden.model);
            let n: usize = network.shape.iter().product();
            let input: Vec<f32> = sequence(n).map(|v| v * golden.scale + golden.offset).collect();
            let outputs = network.run(&input).unwrap();
            assert_eq!(outputs.len(), golden.outputs.len(), "{}", golden.model);
            for (output, expected) in outputs.iter().zip(&golden.outputs) {
                expected.check(&golden.model, output);
            }
        }
    }

    #[test]
    #[ignore = "prints where the time goes, for tuning: --ignored --nocapture"]
    fn where_the_time_goes() {
        let manifest = Manifest::built_in().unwrap();
        for model in manifest.models() {
            let network = Network::load(&default_dir(), &manifest, &model.id).unwrap();
            let Engine::Ours(program) = &network.engine else { panic!("{} is not ours", model.id) };
            let n = network.shape.iter().product::<usize>() as u32;
            let input: Vec<f32> = (0..n).map(noise).collect();
            let runs: Vec<_> = (0..7).map(|_| program.profile(&input)).collect();
            let mut steps: Vec<(f64, &str)> = (0..runs[0].len())
                .map(|i| (runs.iter().map(|r| r[i].1).fold(f64::MAX, f64::min), &*runs[0][i].0))
                .collect();
            println!("{} {:.3} ms", model.id, steps.iter().map(|s| s.0).sum::<f64>());
            steps.sort_by(|a, b| b.0.total_cmp(&a.0));
            steps.iter().take(40).for_each(|(ms, step)| println!("    {ms:8.3} {step}"));
        }
    }

    #[test]
    fn a_changed_weight_is_not_loaded() {
        let manifest = Manifest::built_in().unwrap();
        let model = manifest.model("face-eye").unwrap();
        let Ok(mut bytes) = model.read_bytes(&default_dir()) else {
            eprintln!("skipped: face-eye is not there, run `models fetch`");
            return;
        };
        let dir = tempfile::tempdir().unwrap();
        bytes[1000] ^= 1;
        std::fs::write(model.path(dir.path()), &bytes).unwrap();
        let loaded = Network::load(dir.path(), &manifest, "face-eye");
        assert!(matches!(loaded, Err(ModelError::WrongHash { .. })));
    }

    impl Sampled {
        fn check(&self, model: &str, output: &[f32]) {
            assert_eq!(output.len(), self.n, "{model}");
            let top = self.values.iter().fold(1.0f32, |top, v| top.max(v.abs()));
            for (value, expected) in output.iter().step_by(self.step).zip(&self.values) {
                let off = (value - expected).abs();
                assert!(off <= 1e-4 * top, "{model}: {value} and not {expected}");
            }
            let sum: f64 = output.iter().map(|v| f64::from(*v)).sum();
            let allowed = 1e-4 * f64::from(top) * self.n as f64;
            assert!((sum - self.sum).abs() <= allowed, "{model}: sum {sum} and not {}", self.sum);
        }
    }

    /// The numbers of a small linear congruential generator, 0..1.
    fn sequence(n: usize) -> impl Iterator<Item = f32> {
        let mut state = 12345u32;
        (0..n).map(move |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 16_777_216.0
        })
    }
}
