fn main(){
 let dir=std::env::args().nth(1).unwrap();
 for lang in [arkki::domain::language::Language::Fi, arkki::domain::language::Language::Sv] { for seed in 0..6u64 {
  let f=arkki::generate::family::Family::new(seed,seed+1,lang);
  for (i,d) in f.in_order().iter().enumerate(){
   let mut d=(*d).clone(); if seed==5 {d.body_octets=30000;}
   let o=d.render();
   std::fs::write(format!("{dir}/{}-{seed}-{i}.xml",lang.as_str()),&o).unwrap();
   let mut fr=arkki::generate::frame::FrameSpec::around(&d,i as u64);
   if seed%2==0 {fr.carrier=arkki::generate::frame::Carrier::Mime;}
   std::fs::write(format!("{dir}/f{}-{seed}-{i}.xml",lang.as_str()),fr.render(&o)).unwrap();
  }}}
}
