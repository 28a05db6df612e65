//! Loops over columns, compiled a second time for processors with wider registers.
//!
//! A binary for any x86-64 may use registers of two floats only. Nearly every processor has four (AVX2), so a loop that the
//! compiler can spread over them is compiled for both, and the processor is asked when it runs. The results are the same bits:
//! Rust neither reorders float operations nor fuses them.

/// Defines a function whose body is compiled for AVX2 too, and taken where the processor has it.
///
/// The body is compiled twice, so it should be a loop and little else. Arguments are plain names.
#[macro_export]
macro_rules! wide {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name($($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            fn any($($arg: $type),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $type),*) $(-> $result)? {
                    any($($arg),*)
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has been asked for what the function is compiled for.
                    return unsafe { avx2($($arg),*) };
                }
            }
            any($($arg),*)
        }
    };
}

#[cfg(test)]
mod tests {
    wide! {
        fn scaled(column: &[f64], factor: f64, out: &mut [f64]) -> bool {
            let mut negative = false;
            for (slot, value) in out.iter_mut().zip(column) {
                *slot = value * factor;
                negative |= *slot < 0.0;
            }
            negative
        }
    }

    #[test]
    fn a_wide_loop_answers_as_a_plain_one() {
        let column: Vec<f64> = (0..1003).map(|i| i as f64 * 0.1).collect();
        let mut out = vec![0.0; column.len()];
        assert!(!scaled(&column, 3.7, &mut out));
        for (value, got) in column.iter().zip(&out) {
            assert_eq!((value * 3.7).to_bits(), got.to_bits());
        }
        assert!(scaled(&column, -1.0, &mut out));
    }
}
