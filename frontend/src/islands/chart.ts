import "../styles/chart_vendor.scss";
export {};
