//! The flow of the ridges of a finger: cores and deltas after Sherlock and Monro (1993), over an arch.

use crate::random::Random;

/// Where ridges run and how wide they are.
pub(super) struct Flow {
    cores: Vec<[f32; 2]>,
    deltas: Vec<[f32; 2]>,
    arch: f32,
    /// Three slow waves that make each flow and spacing its own: amplitude, wave vector, phase.
    waves: [[f32; 4]; 3],
    period: f32,
}

impl Flow {
    /// A pattern with the frequencies seen in people: mostly loops, many whorls, few arches.
    pub(super) fn choose(random: &mut Random, left_hand: bool) -> Self {
        let x = random.between(-14.0, 14.0);
        let y = random.between(-34.0, 6.0);
        let (cores, deltas) = match random.below(100) {
            0..6 => (vec![], vec![]),
            6..62 => {
                // The delta lies on the thumb's side: left of a loop that opens to the little finger on a right hand.
                let mirrored = left_hand ^ random.chance(6);
                let side = if mirrored { -1.0 } else { 1.0 };
                (
                    vec![[x, y]],
                    vec![[
                        x + side * random.between(-105.0, -72.0),
                        y + random.between(70.0, 125.0),
                    ]],
                )
            }
            _ => {
                let gap = random.between(8.0, 46.0);
                let lean = random.between(-16.0, 16.0);
                let cores = vec![[x - lean / 2.0, y - gap / 2.0], [x + lean / 2.0, y + gap / 2.0]];
                let reach = random.between(78.0, 112.0);
                let drop = random.between(78.0, 120.0);
                (
                    cores,
                    vec![
                        [x - reach, y + drop],
                        [x + reach, y + drop + random.between(-22.0, 22.0)],
                    ],
                )
            }
        };
        let waves = [(); 3].map(|()| {
            let (angle, number) =
                (random.between(0.0, std::f32::consts::TAU), random.between(0.012, 0.03));
            [
                random.between(0.04, 0.12),
                angle.cos() * number,
                angle.sin() * number,
                random.between(0.0, 6.0),
            ]
        });
        Self {
            cores,
            deltas,
            arch: random.between(0.5, 1.1),
            waves,
            period: random.between(8.0, 9.8),
        }
    }

    /// The angle of the ridge at a place (pixels at 500 dpi from the middle of the finger), in radians, mod π.
    pub(super) fn angle(&self, x: f32, y: f32) -> f32 {
        let turn = |point: &[f32; 2]| (y - point[1]).atan2(x - point[0]);
        let mut doubled = if self.cores.is_empty() {
            // A plain arch: ridges rise in the middle and fall again.
            -2.0 * (self.arch
                * (-x / 60.0)
                * (-(x / 75.0).powi(2)).exp()
                * (1.2 - y / 180.0).clamp(0.1, 1.6))
            .atan()
        } else {
            let cores: f32 = self.cores.iter().map(turn).sum();
            let deltas: f32 = self.deltas.iter().map(turn).sum();
            // A loop misses one delta; the tip of the finger bends all ridges over it anyway.
            cores - deltas + self.offset()
        };
        for [amplitude, kx, ky, phase] in self.waves {
            doubled += amplitude * (kx * x + ky * y + phase).sin();
        }
        doubled / 2.0
    }

    /// Chosen so that the ridges far below the core run level.
    fn offset(&self) -> f32 {
        let (x, y) = (0.0, 1.0e4);
        let turn = |point: &[f32; 2]| (y - point[1]).atan2(x - point[0]);
        self.deltas.iter().map(turn).sum::<f32>() - self.cores.iter().map(turn).sum::<f32>()
    }

    /// The distance of neighbouring ridges at a place, in pixels.
    pub(super) fn period(&self, x: f32, y: f32) -> f32 {
        let [amplitude, kx, ky, phase] = self.waves[0];
        let wave = (kx * 1.7 * x - ky * 1.7 * y + phase).sin() * amplitude * 5.0;
        // Ridges are wider below the crease side and under the core.
        (self.period + wave + (y / 180.0).clamp(-0.6, 1.0)).clamp(6.8, 11.5)
    }
}
